"""Act in a vectorized environment, write what happens into the replay and measure the cost of episodes.

Notation: N environments on this device, C constraints, O observation size, A action dimensions, T episode length.
"""

import jax
import jax.numpy as jnp
from flax import struct
from jax.typing import ArrayLike

from cvpo_jax.algorithm import limits, running_statistics
from cvpo_jax.algorithm.limit_controller import observe_rates
from cvpo_jax.algorithm.scales import SignalSums
from cvpo_jax.algorithm.state import Metrics, StaticConfig, TrainState
from cvpo_jax.algorithm.step_rates import StepRates
from cvpo_jax.algorithm.update import normalize_observation
from cvpo_jax.experience import replay
from cvpo_jax.experience.replay import Replay, Transition
from cvpo_jax.runtime import devices
from envs import VectorEnv
from envs.base import State as EnvState

COUNTS = ("nonfinite", "negative_costs")
"""What `collect` counts of values that an environment may not return."""
LARGEST = 1e9
"""Largest magnitude of an observation, a reward or a cost. Beyond it float32 cannot tell 1e9 from 1e9 + 30, one value
outweighs all others in running statistics, and the squares of a few overflow."""


class EpisodeSums(struct.PyTreeNode):
    """Sums over the episodes under way, and over the whole ones that ended since the last report.

    The first episodes of staggered environments are cut early, and count nowhere.
    """

    steps: jax.Array  # [N]
    reward: jax.Array  # [N]
    cost: jax.Array  # [N, C]
    finished: jax.Array  # [] episodes
    finished_reward: jax.Array  # []
    finished_cost: jax.Array  # [C]
    finished_over: jax.Array  # [C] episodes above the limit

    @classmethod
    def zeros(cls, num_envs: int, num_constraints: int) -> "EpisodeSums":
        """Nothing seen yet."""
        none = jnp.zeros(num_constraints)
        return cls(
            steps=jnp.zeros(num_envs, jnp.int32),
            reward=jnp.zeros(num_envs),
            cost=jnp.zeros((num_envs, num_constraints)),
            finished=jnp.zeros(()),
            finished_reward=jnp.zeros(()),
            finished_cost=none,
            finished_over=none,
        )

    def add(self, transition: Transition, limit: jax.Array, episode_length: int) -> "EpisodeSums":
        """Take in one step of all environments; an episode is over the limit, `[C]` or `[N, C]`, if its cost is."""
        steps = self.steps + 1
        reward, cost = self.reward + transition.reward, self.cost + transition.cost
        going_on = 1 - jnp.maximum(transition.done, transition.truncation)
        whole = jnp.maximum(transition.done, transition.truncation * (steps >= episode_length))
        return EpisodeSums(
            steps=steps * going_on.astype(steps.dtype),
            reward=reward * going_on,
            cost=cost * going_on[:, None],
            finished=self.finished + whole.sum(),
            finished_reward=self.finished_reward + (reward * whole).sum(),
            finished_cost=self.finished_cost + (cost * whole[:, None]).sum(0),
            finished_over=self.finished_over + ((cost > limit) * whole[:, None]).sum(0),
        )

    def report(self, axis_name: str | None) -> tuple["EpisodeSums", Metrics]:
        """Means over the episodes that finished on all devices (NaN where none did), and the sums without them."""
        finished, reward, cost, over = devices.psum(
            (self.finished, self.finished_reward, self.finished_cost[0], self.finished_over[0]), axis_name
        )
        metrics = {
            "train/episodes": finished,
            "train/return": reward / finished,
            "train/cost": cost / finished,
            "train/share_over_limit": over / finished,
        }
        none = jnp.zeros_like(self.finished_cost)
        kept = self.replace(
            finished=jnp.zeros(()), finished_reward=jnp.zeros(()), finished_cost=none, finished_over=none
        )
        return kept, metrics


class CollectorState(struct.PyTreeNode):
    """What belongs to one device: its environments, its shard of the replay, its key."""

    env_state: EnvState  # leading axis [N]
    replay: Replay
    episode: EpisodeSums
    key: jax.Array


class Measured(struct.PyTreeNode):
    """What steps brought, over the environments that act by a mean, by the average policy's, and over all."""

    rates: StepRates
    deployed: StepRates
    signals: SignalSums


def start(env: VectorEnv, rows: int, key: jax.Array) -> CollectorState:
    """Reset the environments and make an empty replay of `rows` steps of each."""
    key, key_reset = jax.random.split(key)
    env_state = env.reset(key_reset)
    zeros = jnp.zeros(env.num_envs)
    example = Transition(
        observation=env_state.obs,
        action=jnp.zeros((env.num_envs, env.action_size)),
        reward=zeros,
        cost=jnp.zeros((env.num_envs, env.num_constraints)),
        done=zeros,
        truncation=zeros,
    )
    sums = EpisodeSums.zeros(env.num_envs, env.num_constraints)
    return CollectorState(env_state, replay.empty(example, rows), sums, key)


def collect(
    env: VectorEnv,
    state: TrainState,
    collector: CollectorState,
    *,
    steps: int,
    random: ArrayLike,
    axis_name: str | None,
) -> tuple[TrainState, CollectorState, dict[str, jax.Array]]:
    """Step all environments `steps` times, acting at random or by the policy; also counts what they may not return."""
    # The cost of acting by the mean is measured, as the policy will be used. Without such environments, of exploring.
    deterministic = deterministic_envs(state.static, env.num_envs) or env.num_envs
    deployed = deployed_envs(state.static, env.num_envs) or deterministic
    limit = limits.of_members(state.static, state.hyperparameters.cost_limit, env.num_envs)

    def step(collector: CollectorState, _: None) -> tuple[CollectorState, tuple]:
        key, key_action = jax.random.split(collector.key)
        observation = collector.env_state.obs
        action = act(state, observation, key_action, random=random)
        env_state = env.step(collector.env_state, action)
        transition = Transition(
            observation=observation,
            action=action,
            reward=env_state.reward,
            cost=env_state.info["cost"],
            done=env_state.done,
            truncation=env_state.info["truncation"],
        )
        sums = collector.episode.add(transition, limit, env.episode_length)
        # The observation that came of the step is stored with the environments, even if nobody acts on it any more.
        bad = {
            "nonfinite": _unusable(env_state.obs, transition.reward, transition.cost),
            "negative_costs": jnp.sum(transition.cost < 0),
        }
        stored = replay.insert(collector.replay, transition)
        measured = Measured(
            rates=_rates(state.static, transition, deterministic),
            deployed=_rates(state.static, transition, deployed),
            signals=SignalSums.measured(transition.reward, transition.cost),
        )
        return CollectorState(env_state, stored, sums, key), (observation, measured, bad)

    before = _unusable(collector.env_state.obs)
    collector, (observations, measured, bad) = jax.lax.scan(step, collector, None, length=steps)
    bad["nonfinite"] += before
    state = _observe(env, state, observations, _over_devices(measured, axis_name), random, axis_name)
    return state, collector, jax.tree.map(jnp.sum, bad)


def _unusable(*values: jax.Array) -> jax.Array:
    """How many of the values, `[]`, are not finite or too large."""
    return jnp.sum(jnp.stack([jnp.sum(~(jnp.abs(x) <= LARGEST)) for x in values]))


def _rates(static: StaticConfig, transition: Transition, envs: int) -> StepRates:
    """Of the first `envs` environments, with several limits of those of each."""
    reports = (transition.cost, transition.done, transition.truncation)
    return limits.each(static, StepRates.measured)(*(limits.split(static, x[:envs]) for x in reports))


def _over_devices(measured: Measured, axis_name: str | None) -> Measured:
    """What all devices measured in the steps along the leading axis: means of rates, sums of signals."""
    rates = devices.pmean(jax.tree.map(lambda x: x.mean(0), (measured.rates, measured.deployed)), axis_name)
    signals = devices.psum(jax.tree.map(lambda x: x.sum(0), measured.signals), axis_name)
    return Measured(rates=rates[0], deployed=rates[1], signals=signals)


def act(state: TrainState, observation: jax.Array, key: jax.Array, *, random: ArrayLike) -> jax.Array:
    """Actions `[N, A]` in the box, or uniform ones where `random` [] holds.

    The first environments act by the mean of the average policy, the next ones by the newest policy's, the others by
    samples of the newest.
    """
    static, num_envs = state.static, observation.shape[0]
    observation = normalize_observation(state, observation)
    policy = static.actor.apply(state.actor, observation)
    noise = jax.random.normal(key, policy.mean.shape).at[: deterministic_envs(static, num_envs)].set(0)
    deployed = deployed_envs(static, num_envs)
    action = (
        policy.sample(noise).at[:deployed].set(static.actor.apply(state.average_actor, observation[:deployed]).mean)
    )
    uniform = jax.random.uniform(key, policy.mean.shape, minval=-1.0, maxval=1.0)
    return jnp.where(random, uniform, jnp.clip(action, -1, 1))


def deterministic_envs(static: StaticConfig, num_envs: int) -> int:
    """How many of the environments, the first ones, act by the mean of a policy."""
    return round(static.algo.deterministic_share * num_envs)


def deployed_envs(static: StaticConfig, num_envs: int) -> int:
    """How many of these, the first ones, act by the average policy, which is evaluated and saved."""
    return deterministic_envs(static, num_envs) // 2


def _observe(
    env: VectorEnv,
    state: TrainState,
    observations: jax.Array,
    measured: Measured,
    random: ArrayLike,
    axis_name: str | None,
) -> TrainState:
    """Update counters, statistics of the observations `[steps, N, O]`, the controller's measurements and the scales."""
    steps = observations.shape[0]
    total = env.num_envs * devices.count(axis_name)
    # A constant feature has no spread of its own: the floor keeps rounding from being blown up to unit size.
    statistics = running_statistics.update(
        state.observation_statistics, observations, std_min_value=1e-2, pmap_axis_name=axis_name
    )
    seen = state.env_steps.lo / total
    return state.replace(
        observation_statistics=statistics,
        controller=observe_rates(
            state.static.controller,
            state.controller,
            measured.rates,
            measured.deployed,
            seen=seen,
            steps=steps,
            time_limit=env.episode_length,
        ),
        signals=state.signals.add(measured.signals, jnp.asarray(random)),
        env_steps=state.env_steps + steps * total,
    )
