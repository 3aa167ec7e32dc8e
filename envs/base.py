"""The protocol that all environments follow, and the one place that takes names from Brax.

Notation: N environments, A action dimensions, C constraints. An environment is a `brax.envs.Env` whose `State.info`
also has `cost` `[C]`, `cost_components` (name -> `[]`) and `truncation` `[]` (1 in the step that ends the episode by
its time limit); `done` is 1 only where the task itself ended.
"""

import envs._mjx  # noqa: F401  (first: it keeps the import of Brax quiet)

# isort: split
import abc
from collections.abc import Sequence
from typing import Protocol

import jax
import jax.numpy as jnp
from brax.envs import Env, State

__all__ = ["Env", "SafeEnv", "State", "VectorEnv", "select_costs"]


class SafeEnv(Env):
    """A Brax environment with costs and a time limit."""

    episode_length: int
    cost_names: tuple[str, ...]
    constraints: tuple[str, ...]

    @property
    @abc.abstractmethod
    def num_constraints(self) -> int:
        """The number of constraints C."""


class VectorEnv(Protocol):
    """N environments, each of which begins a new episode, in a new layout, in the step that ends the old one.

    In that step `reward`, `done` and the costs and truncation in `info` report the old episode's last step; `obs`,
    `pipeline_state` and the count `info["steps"]` show the new one's start. Compiled and host environments both offer
    this interface.
    """

    num_envs: int
    observation_size: int
    action_size: int
    episode_length: int
    cost_names: tuple[str, ...]
    num_constraints: int

    def reset(self, key: jax.Array) -> State:
        """Return the states of N new episodes, each array with a leading axis `[N]`."""

    def step(self, state: State, action: jax.Array) -> State:
        """Step all environments by `action` `[N, A]`."""


def select_costs(components: dict[str, jax.Array], constraints: Sequence[str]) -> jax.Array:
    """The cost vector `[C]`: the components named by `constraints`, or their binary sum `[1]` if none is named."""
    if constraints:
        return jnp.stack([components[name] for name in constraints])
    total = sum(components.values(), start=jnp.zeros(()))
    return jnp.minimum(total, 1.0)[None]
