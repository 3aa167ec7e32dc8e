"""Environments of Brax and of MuJoCo Playground as users write them, named as `own_compiled:Name`."""

from types import SimpleNamespace
from typing import Any

import brax.envs
import jax
import jax.numpy as jnp
from brax.envs import State
from brax.envs.wrappers import training
from flax import struct

import envs

LENGTH = 6


class Point(brax.envs.Env):
    """Moves by its action; its info counts steps under names that trainers use, too, and keeps a table and a key."""

    observation_size = 2
    action_size = 2
    backend = "none"

    def __init__(self, costs: str = "info", fault: str = "", ends: int = 10**9, length: int | None = LENGTH) -> None:
        self._costs, self._fault, self._ends = costs, fault, ends
        if length is not None:
            self.episode_length = length

    def reset(self, rng: jax.Array) -> State:
        place = jax.random.uniform(rng, (2,))
        info: dict[str, Any] = {"steps": 0, "length": jnp.zeros(3), "key": rng, "typed": jax.random.key(3)}
        info |= {"cost_components": {"mine": jnp.ones(4)}, "table": jnp.arange(3)}
        costs = {"cost": 0, "cost_a": 0.0} if self._costs == "parts and total" else {"cost": 0}
        costs = {"cost_b": 0.0, "cost_a": 0.0} if self._costs == "parts" else costs
        if self._fault == "step only":
            costs = {}
        in_info, in_metrics = (costs, {}) if self._costs != "metrics" else ({}, costs)
        if self._costs == "none":
            in_info = {}
        zero = jnp.zeros(())
        return State(place, self._observe(place), zero, zero, in_metrics, info | in_info)

    def step(self, state: State, action: jax.Array) -> State:
        typed, _ = jax.random.split(state.info["typed"])
        place, steps = state.pipeline_state + action, state.info["steps"] + 1
        third = steps == 3
        cost = jnp.where(third & (self._fault == "negative"), -1.0, jnp.sum(jnp.abs(place)))
        reward = jnp.where(third & (self._fault == "nan"), jnp.nan, action.sum())
        costs = {"cost": cost, "cost_a": cost / 2, "cost_b": cost / 4}
        kept = costs if self._fault == "step only" else state.info | state.metrics
        told = {name: value for name, value in costs.items() if name in kept}
        info = state.info | {"typed": typed, "steps": steps, "length": state.info["length"] + 1}
        if self._costs != "metrics":
            info |= told
        return state.replace(
            pipeline_state=place,
            obs=self._observe(place),
            reward=action if self._fault == "batched" else reward,
            done=steps >= self._ends,  # a bool, where a reset has a float
            metrics=told if self._costs == "metrics" else {},
            info=info,
        )

    def _observe(self, place: jax.Array) -> Any:
        return jnp.zeros((8, 8, 3)) if self._fault == "picture" else place


@struct.dataclass
class PlaygroundState:
    """The fields of MuJoCo Playground's states."""

    data: Any
    obs: Any
    reward: jax.Array
    done: jax.Array
    metrics: dict[str, jax.Array]
    info: dict[str, Any]


class Playground:
    """An environment with Playground's interface: no class of ours or of Brax, and info that is changed in place."""

    action_size = 1

    def __init__(self, entries: tuple[str, ...] = ("state", "privileged_state")) -> None:
        self._config = SimpleNamespace(episode_length=LENGTH)
        self._entries = entries

    @property
    def observation_size(self) -> Any:
        raise AssertionError("it traces a reset, and need not be asked")

    def reset(self, rng: jax.Array) -> PlaygroundState:
        place = jax.random.uniform(rng, ())
        return self._state(place, jnp.zeros(()), {"reward/forward": jnp.zeros(())}, {"rng": rng, "step": 0})

    def step(self, state: PlaygroundState, action: jax.Array) -> PlaygroundState:
        state.info["step"] += 1
        state.info["rng"], _ = jax.random.split(state.info["rng"])
        place = state.data + action[0]
        return self._state(place, action[0], {"reward/forward": place}, state.info)

    def _state(self, place: jax.Array, reward: jax.Array, metrics: Any, info: Any) -> PlaygroundState:
        obs = {name: jnp.full(index + 1, place) for index, name in enumerate(self._entries)}
        return PlaygroundState(place, obs, reward, jnp.zeros(()), metrics, info)


def playground(**options: Any) -> Any:
    """One whose distance costs."""
    return envs.with_cost(Playground(**options), lambda before, action, after, info: abs(action[0]) + 0 * info["step"])


def playground_parts() -> Any:
    """One with two components, of the observations before and after."""
    return envs.with_cost(
        Playground(("b", "a")), lambda before, action, after, info: {"was": before["b"][0], "cost_is": after["a"][0]}
    )


def cartpole() -> Any:
    """One of Playground's own tasks, whose torque costs."""
    from mujoco_playground import registry

    env = registry.load("CartpoleBalance", config_overrides={"impl": "jax"})
    return envs.with_cost(env, lambda before, action, after, info: jnp.abs(action[0]))


def inverted_pendulum() -> Any:
    """One of Brax's own tasks, whose torque costs."""
    env = brax.envs.get_environment("inverted_pendulum", backend="generalized")
    return envs.with_cost(env, lambda before, action, after, info: jnp.abs(action[0]))


def wrapped(how: str) -> Any:
    """One of Brax's wrappers around a point."""
    if how == "vmap":
        return training.VmapWrapper(Point())
    if how == "autoreset":
        return training.AutoResetWrapper(training.EpisodeWrapper(Point(), LENGTH, 1))
    fast = envs.with_cost(brax.envs.get_environment("fast"), lambda before, action, after, info: 1.0)
    return training.EpisodeWrapper(fast, LENGTH, 1)


def port(**options: Any) -> Any:
    """One of ours."""
    return envs.make("SafetyPointGoal1-v0", episode_length=50, **options)


ready = Point()
