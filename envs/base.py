"""The protocol of all environments, and many of them side by side.

N environments, A action dimensions, C constraints. An environment is a `brax.envs.Env` whose `State.info` also has
`cost` `[C]`, `cost_components` (name -> `[]`) and `truncation` `[]` (1 in the step that ends the episode by its time
limit); `done` is 1 only where the task itself ended.
"""

import abc
from collections.abc import Sequence
from typing import Protocol

import jax
import jax.numpy as jnp
from brax.envs import Env, State
from jax import lax

PHASES = 16
"""Staggered episodes end at this many different steps."""
_LEAST_RESETS = 16  # computed at once
_EPISODE = ("key", "steps", "length")


class SafeEnv(Env):
    """A Brax environment with costs and a time limit."""

    episode_length: int
    cost_names: tuple[str, ...]
    constraints: tuple[str, ...]

    @property
    @abc.abstractmethod
    def num_constraints(self) -> int:
        """C."""


class VectorEnv(Protocol):
    """N environments that begin a new episode, in a new layout, in the step in which the old one ends.

    In that step `reward`, `done` and the costs and truncation in `info` report the old episode's last step, `obs`,
    `pipeline_state` and the count `info["steps"]` the new one's start. Compiled and host environments both offer this.
    """

    num_envs: int
    observation_size: int
    action_size: int
    episode_length: int
    cost_names: tuple[str, ...]
    num_constraints: int

    def reset(self, key: jax.Array) -> State:
        """States of N new episodes, each array with a leading axis `[N]`."""

    def step(self, state: State, action: jax.Array) -> State:
        """One step of all under `action` `[N, A]`."""


class CompiledVectorEnv:
    """N copies of a `SafeEnv` by `vmap`; pure, so that it can be jitted, scanned, vmapped and pmapped.

    `staggered` cuts the first episodes at different steps, so that the copies are spread over the phases of an episode
    from then on; `info["length"]` `[N]` is the step at which the episode under way is cut.
    """

    def __init__(self, env: SafeEnv, num_envs: int, *, staggered: bool = False) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs is {num_envs}: at least 1 is needed")
        self.env = env
        self.num_envs = num_envs
        self.staggered = staggered
        self.observation_size = int(env.observation_size)
        self.action_size = env.action_size
        self.episode_length = env.episode_length
        self.cost_names = env.cost_names
        self.num_constraints = env.num_constraints

    def reset(self, key: jax.Array) -> State:
        """States of N new episodes."""
        state = self._begin(jax.random.split(key, self.num_envs))
        if not self.staggered:
            return state
        phase = 1 + jnp.arange(self.num_envs, dtype=jnp.int32) % PHASES
        return state.replace(info=state.info | {"length": -(-phase * self.episode_length // PHASES)})

    def step(self, state: State, action: jax.Array) -> State:
        """One step of all; where an episode ends, the next one begins."""
        stepped = jax.vmap(self.env.step)(state, action)
        steps = state.info["steps"] + 1
        truncation = jnp.maximum(stepped.info["truncation"], steps >= state.info["length"])
        stepped = stepped.replace(info=stepped.info | {"steps": steps, "truncation": truncation})
        ended = jnp.maximum(stepped.done, truncation) > 0
        return lax.cond(jnp.any(ended), self._renew, lambda stepped, _: stepped, stepped, ended)

    def _begin(self, keys: jax.Array) -> State:
        split = jax.vmap(jax.random.split)(keys)
        state = jax.vmap(self.env.reset)(split[:, 0])
        steps = jnp.zeros(keys.shape[0], jnp.int32)
        return state.replace(
            info=state.info | {"key": split[:, 1], "steps": steps, "length": jnp.full_like(steps, self.episode_length)}
        )

    def _renew(self, stepped: State, ended: jax.Array) -> State:
        """New episodes in place of those that `ended` `[N]`, computed for as many at once as end in a phase."""
        size = min(self.num_envs, max(_LEAST_RESETS, -(-self.num_envs // PHASES)))
        order = jnp.nonzero(ended, size=-(-self.num_envs // size) * size, fill_value=self.num_envs)[0]

        def unfinished(carry: tuple[jax.Array, State]) -> jax.Array:
            return carry[0] < jnp.sum(ended)

        def advance(carry: tuple[jax.Array, State]) -> tuple[jax.Array, State]:
            done, state = carry
            index = lax.dynamic_slice_in_dim(order, done, size)  # one that is out of range stands for none
            fresh = self._begin(stepped.info["key"].at[index].get(mode="clip"))

            def put(old: jax.Array, new: jax.Array) -> jax.Array:
                return old.at[index].set(new, mode="drop")

            return done + size, state.replace(
                obs=put(state.obs, fresh.obs),
                pipeline_state=jax.tree.map(put, state.pipeline_state, fresh.pipeline_state),
                info=state.info | {name: put(state.info[name], fresh.info[name]) for name in _EPISODE},
            )

        return lax.while_loop(unfinished, advance, (jnp.zeros_like(jnp.sum(ended)), stepped))[1]


def vectorize(env: SafeEnv, num_envs: int, *, staggered: bool = False) -> VectorEnv:
    """`num_envs` copies of `env` side by side; `staggered`: their first episodes are cut at different steps."""
    return CompiledVectorEnv(env, num_envs, staggered=staggered)


def select_costs(components: dict[str, jax.Array], constraints: Sequence[str]) -> jax.Array:
    """The cost vector `[C]`: the components named by `constraints`, or without any their binary sum `[1]`."""
    if constraints:
        return jnp.stack([components[name] for name in constraints])
    total = sum(components.values(), start=jnp.zeros(()))
    return jnp.minimum(total, 1.0)[None]
