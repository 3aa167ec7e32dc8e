"""The training state, and what an update learns from.

Notation: B states in a batch, C constraints, A action dimensions, O observation size, T episode length, M limits where
there are several (`algo.limits`): what is kept for each then has a leading axis M.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from cvpo_jax.algorithm import running_statistics
from cvpo_jax.algorithm.estep import Duals
from cvpo_jax.algorithm.limit_controller import ControllerState, LimitController, initial_controller
from cvpo_jax.algorithm.networks import Actor, Critics
from cvpo_jax.algorithm.optimizer import OptimizerState, make_optimizer
from cvpo_jax.algorithm.running_statistics import RunningStatisticsState, UInt64
from cvpo_jax.algorithm.scales import SignalSums
from cvpo_jax.config import AlgoConfig, ControllerConfig, roles
from cvpo_jax.config.scale import of_cheap_steps

Params = Any
Metrics = dict[str, jax.Array]

FIRST_TEMPERATURE = 0.01
"""Of SAC-Lagrangian. Critics learn rewards of about 0.1: at 1 their values would be the entropy's for thousands of
updates, which drives the policy to its widest for good."""


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
    """The options declared as numbers: arrays `[]`, so that trials with different values share one program."""

    gamma: jax.Array
    kl_estep: jax.Array
    kl_mean: jax.Array
    kl_covariance: jax.Array
    actor_lr: jax.Array
    critic_lr: jax.Array
    multiplier_lr: jax.Array
    target_rate: jax.Array
    old_policy_rate: jax.Array
    ema_rate: jax.Array
    cost_limit: jax.Array  # [C] mean undiscounted cost of an episode; with several limits [M, C]

    @classmethod
    def from_config(cls, algo: AlgoConfig) -> "Hyperparameters":
        """The numbers of `algo` as float32 arrays."""
        algo, _ = of_cheap_steps(algo, ControllerConfig())
        values = {name: jnp.float32(getattr(algo, name)) for name in roles.numbers(AlgoConfig)}
        limits = [[limit] for limit in algo.limits] or algo.cost_limits
        return cls(**values | {"cost_limit": jnp.asarray(limits, jnp.float32)})


def without_numbers(algo: AlgoConfig) -> AlgoConfig:
    """`algo` without what trials of one compiled program may differ in: equal for two that share it."""
    zeros: dict[str, Any] = dict.fromkeys(roles.numbers(AlgoConfig), 0.0)
    return replace(algo, constraints={}, **zeros)


@dataclass(frozen=True)
class StaticConfig:
    """What is static: the environment's sizes and the options that shape the compiled program."""

    observation_size: int
    action_size: int
    num_constraints: int
    episode_length: int
    algo: AlgoConfig
    """Without its numbers, which are `Hyperparameters`."""
    controller: ControllerConfig
    reward_scale: float | None = 1.0
    """The factor between rewards and what critics learn; None: measured."""

    @classmethod
    def from_config(cls, algo: AlgoConfig, controller: ControllerConfig | None = None, **env: Any) -> "StaticConfig":
        """The options of `algo` for an environment of these sizes, the fields above, and perhaps `reward_scale`."""
        algo, controller = of_cheap_steps(algo, controller or ControllerConfig())
        return cls(**env, algo=without_numbers(algo), controller=controller)

    @property
    def sizes(self) -> dict[str, int]:
        """The environment's sizes, as `from_config` takes them."""
        names = ("observation_size", "action_size", "num_constraints", "episode_length")
        return {name: getattr(self, name) for name in names}

    @property
    def actor(self) -> Actor:
        """The policy's network."""
        algo = self.algo
        return Actor(
            action_size=self.action_size,
            hidden=algo.hidden,
            full=algo.covariance == "full",
            initial_std=algo.initial_std,
            max_std=algo.max_std,
            matmul_dtype=algo.matmul_dtype,
        )

    @property
    def first_duals(self) -> Duals:
        """Where the duals start; SAC-Lagrangian's temperature, one for all limits, lies in `eta`."""
        duals = self.for_each_limit(Duals.initial(self.num_constraints))
        return duals if self.algo.name == "cvpo" else Duals(eta=jnp.float32(FIRST_TEMPERATURE), lam=duals.lam)

    def for_each_limit(self, tree: Any) -> Any:
        """`tree` as it is, or with several limits once for each, along a leading axis M."""
        count = len(self.algo.limits)
        return jax.tree.map(lambda x: jnp.stack([x] * count), tree) if count else tree

    @property
    def critics(self) -> Critics:
        """The critics' network: those of reward, then those of each cost."""
        algo = self.algo
        count = algo.reward_critics + self.num_constraints * algo.cost_critics
        return Critics(count, algo.hidden, algo.matmul_dtype, bool(algo.layer_norm), algo.quantiles or 1)


class KLMultipliers(struct.PyTreeNode):
    """M-step multipliers of the two KL bounds, each `[]` and >= 0; also the bounds themselves, and the KLs."""

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
    actor_optimizer: OptimizerState
    critic_optimizer: OptimizerState
    duals: Duals
    multipliers: KLMultipliers
    controller: ControllerState
    signals: SignalSums  # what the scales of reward and cost follow from
    observation_statistics: RunningStatisticsState
    updates: UInt64
    env_steps: UInt64
    key: jax.Array

    @property
    def limit_controller(self) -> LimitController:
        """The law that `controller` is the memory of; with several limits within `limits.for_each` alone."""
        return LimitController(self.static.controller, self.hyperparameters.cost_limit, self.static.episode_length)

    @property
    def reward_scale(self) -> jax.Array:
        """The factor `[]` between rewards and what the critics learn."""
        known = self.static.reward_scale
        return self.signals.reward_scale() if known is None else jnp.float32(known)

    @property
    def cost_scale(self) -> jax.Array:
        """The factors `[C]` between costs and what the critics learn."""
        return self.signals.cost_scale()


@partial(jax.jit, static_argnames="static")
def init_train_state(static: StaticConfig, hyperparameters: Hyperparameters, key: jax.Array) -> TrainState:
    """Fresh networks, optimizers, duals and counters from `key`.

    One compiled program: operation by operation, the eighty of them take twice as long to compile.
    """
    key, key_actor, key_critics = jax.random.split(key, 3)
    observation = jnp.zeros((1, static.observation_size))
    actor = static.actor.init(key_actor, observation)
    critics = static.critics.init(key_critics, observation, jnp.zeros((1, static.action_size)))
    return TrainState(
        static=static,
        hyperparameters=hyperparameters,
        actor=actor,
        # Copies, since the state is donated and a buffer may be given away only once.
        old_actor=jax.tree.map(jnp.copy, actor),
        average_actor=jax.tree.map(jnp.copy, actor),
        critics=critics,
        target_critics=jax.tree.map(jnp.copy, critics),
        actor_optimizer=make_optimizer(hyperparameters.actor_lr).init(actor),
        critic_optimizer=make_optimizer(hyperparameters.critic_lr).init(critics),
        duals=static.first_duals,
        multipliers=KLMultipliers(jnp.ones(()), jnp.ones(())),
        controller=static.for_each_limit(
            initial_controller(static.controller, static.num_constraints, static.algo.unconstrained_updates or 0)
        ),
        signals=SignalSums.zeros(static.num_constraints),
        observation_statistics=running_statistics.init_state(
            jax.ShapeDtypeStruct((static.observation_size,), jnp.float32)
        ),
        updates=UInt64(hi=0, lo=0),
        env_steps=UInt64(hi=0, lo=0),
        key=key,
    )
