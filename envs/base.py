"""The protocol that all environments follow, and the one place that takes names from Brax.

Notation: N environments, A action dimensions, C constraints. An environment is a `brax.envs.Env` whose `State.info`
also has `cost` `[C]`, `cost_components` (name -> `[]`) and `truncation` `[]` (1 in the step that ends the episode by
its time limit); `done` is 1 only where the task itself ended.
"""

import envs._mjx  # noqa: F401  (first: it keeps the import of Brax quiet)

# isort: split
from collections.abc import Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from brax.envs import Env, State
from flax import struct

__all__ = [
    "Env",
    "Episode",
    "SafeEnv",
    "State",
    "VectorEnv",
    "WrappedEnv",
    "episode_of",
    "select_costs",
    "with_episode",
]

_EPISODE = "_episode"  # of `State.info`; an environment's own entries have other names


class SafeEnv(Env):
    """A Brax environment with costs and a time limit."""

    episode_length: int
    cost_names: tuple[str, ...]
    constraints: tuple[str, ...]
    reward_scale: float | None = None
    """What rewards are multiplied by to be of the size that trainers expect; None: unknown, to be measured."""

    @property
    def num_constraints(self) -> int:
        """The number of constraints C: one on the whole cost where none is named."""
        return len(self.constraints) or 1


class WrappedEnv(SafeEnv):
    """An environment around another one, `env`, of the same observations and actions."""

    def __init__(self, env: Env) -> None:
        self._env = env

    @property
    def observation_size(self) -> Any:
        """Of the wrapped environment."""
        return self._env.observation_size

    @property
    def action_size(self) -> int:
        """Of the wrapped environment."""
        return self._env.action_size

    @property
    def backend(self) -> str:
        """Of the wrapped environment."""
        return self._env.backend

    @property
    def unwrapped(self) -> Env:
        """The environment as it was given."""
        return self._env


class VectorEnv(Protocol):
    """N environments, each of which begins a new episode, in a new layout, in the step that ends the old one.

    In that step `reward`, `done`, `metrics` and the costs and truncation in `info` report the old episode's last step;
    `obs`, `pipeline_state`, everything else in `info` and `episode_of(state)` show the new one's start. Compiled and
    host environments both offer this interface.
    """

    num_envs: int
    observation_size: int
    action_size: int
    episode_length: int
    cost_names: tuple[str, ...]
    num_constraints: int
    reward_scale: float | None
    """As of `SafeEnv`."""

    def reset(self, key: jax.Array) -> State:
        """Return the states of N new episodes, each array with a leading axis `[N]`."""

    def step(self, state: State, action: jax.Array) -> State:
        """Step all environments by `action` `[N, A]`."""


class Episode(struct.PyTreeNode):
    """How far the episodes in progress are, in a vector environment."""

    steps: jax.Array  # [N] int32, since the start
    length: jax.Array  # [N] int32, the step at which the episode is cut
    key: jax.Array | None = None  # [N, 2] uint32, of the next episode; hosts have seeds instead


def episode_of(state: State) -> Episode:
    """The progress of the episodes of a vector environment's state."""
    return state.info[_EPISODE]


def with_episode(state: State, episode: Episode) -> State:
    """`state` with this progress."""
    return state.replace(info=state.info | {_EPISODE: episode})


def select_costs(components: dict[str, jax.Array], constraints: Sequence[str]) -> jax.Array:
    """The cost vector `[C]`: the components named by `constraints`, or their binary sum `[1]` if none is named."""
    if constraints:
        return jnp.stack([components[name] for name in constraints])
    total = sum(components.values(), start=jnp.zeros(()))
    return jnp.minimum(total, 1.0)[None]
