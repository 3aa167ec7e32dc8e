"""What flows through the trainer: transitions, batches and the training state.

Notation: B states in a batch, K sampled actions a state, C constraints, A action dimensions, O observation size,
N environments, T episode length, D devices.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from brax.envs import State as EnvState
from brax.training.acme.running_statistics import RunningStatisticsState
from brax.training.types import UInt64
from flax import struct

from cvpo_jax.algorithm.estep import Duals
from cvpo_jax.algorithm.limit_controller import ControllerState
from cvpo_jax.algorithm.networks import Actor, Critics
from cvpo_jax.config.sections import AlgoConfig, Precision

Params = Any
Metrics = dict[str, jax.Array]


class Transition(struct.PyTreeNode):
    """One environment step of N environments; `observation` is the one the action was chosen from."""

    observation: jax.Array  # [N, O]
    action: jax.Array  # [N, A], clipped to the box
    reward: jax.Array  # [N]
    cost: jax.Array  # [N, C]
    done: jax.Array  # [N] 1 where the episode ended by itself
    truncation: jax.Array  # [N] 1 where it ended by its time limit


class Batch(struct.PyTreeNode):
    """What one update learns from: n-step transitions for the critics, states for the policy."""

    observation: jax.Array  # [B, O]
    action: jax.Array  # [B, A]
    reward: jax.Array  # [B] discounted sum over the n steps
    cost: jax.Array  # [B, C] discounted sum over the n steps
    next_observation: jax.Array  # [B, O]
    discount: jax.Array  # [B] gamma^m, 0 after a termination
    policy_observation: jax.Array  # [B, O] the states the E-step averages over


class Hyperparameters(struct.PyTreeNode):
    """Hyperparameters that are numbers: arrays `[]`, so that trials with different values share one program."""

    gamma: jax.Array
    kl: jax.Array
    kl_mean: jax.Array
    kl_covariance: jax.Array
    actor_lr: jax.Array
    critic_lr: jax.Array
    multiplier_lr: jax.Array
    target_rate: jax.Array
    old_policy_rate: jax.Array
    average_rate: jax.Array
    cost_limit: jax.Array  # [C] mean undiscounted cost of an episode

    @classmethod
    def from_config(cls, algo: AlgoConfig) -> "Hyperparameters":
        """The numbers of `algo` as float32 arrays."""
        scalars = {name: jnp.float32(getattr(algo, name)) for name in cls.__dataclass_fields__ if name != "cost_limit"}
        return cls(cost_limit=jnp.asarray(algo.cost_limits, jnp.float32), **scalars)


@dataclass(frozen=True)
class StaticConfig:
    """What is static: sizes and choices that shape the compiled program."""

    observation_size: int
    action_size: int
    num_constraints: int
    episode_length: int
    hidden: tuple[int, ...]
    samples: int
    mstep_iterations: int
    full_covariance: bool
    initial_std: float
    max_std: float
    greedy_share: float
    cost_critics: int
    cost_aggregate: str
    controlled: bool
    normalize_observations: bool
    reward_critics: int = 2
    products: Precision = "float32"
    free_updates: int = 0

    @classmethod
    def from_config(
        cls, algo: AlgoConfig, *, observation_size: int, action_size: int, num_constraints: int, episode_length: int
    ) -> "StaticConfig":
        """The choices of `algo` for an environment of these sizes."""
        return cls(
            observation_size=observation_size,
            action_size=action_size,
            num_constraints=num_constraints,
            episode_length=episode_length,
            hidden=algo.hidden,
            samples=algo.samples,
            mstep_iterations=algo.mstep_iterations,
            full_covariance=algo.covariance == "full",
            initial_std=algo.initial_std,
            max_std=algo.max_std,
            greedy_share=algo.greedy_share,
            reward_critics=algo.reward_critics,
            cost_critics=algo.cost_critics,
            cost_aggregate=algo.cost_aggregate,
            controlled=algo.limit_mode == "measured",
            normalize_observations=algo.normalize_observations,
            products=algo.products,
            free_updates=algo.free_updates,
        )

    @property
    def actor(self) -> Actor:
        """The policy's network."""
        return Actor(self.action_size, self.hidden, self.full_covariance, self.initial_std, self.max_std, self.products)

    @property
    def critics(self) -> Critics:
        """The critics' network: those of reward, then those of each cost."""
        return Critics(self.reward_critics + self.num_constraints * self.cost_critics, self.hidden, self.products)


class KLMultipliers(struct.PyTreeNode):
    """M-step multipliers of the two KL bounds, each `[]` and >= 0."""

    mean: jax.Array
    covariance: jax.Array


class TrainState(struct.PyTreeNode):
    """Everything that an update changes, and the `static` configuration it needs to do so."""

    static: StaticConfig = struct.field(pytree_node=False)
    hyperparameters: Hyperparameters
    actor: Params
    old_actor: Params  # proposes the E-step's actions
    average_actor: Params  # what is evaluated and deployed
    critics: Params
    target_critics: Params
    actor_optimizer: Any
    critic_optimizer: Any
    duals: Duals
    multipliers: KLMultipliers
    controller: ControllerState
    observation_statistics: RunningStatisticsState
    updates: UInt64
    env_steps: UInt64
    key: jax.Array


class CollectorState(struct.PyTreeNode):
    """What belongs to one device: its environments, its shard of the replay, its key."""

    env_state: EnvState  # leading axis [N]
    replay: Any  # replay.Replay
    episode: Any  # rollout.EpisodeSums
    key: jax.Array
