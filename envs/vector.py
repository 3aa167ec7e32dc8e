"""Many copies of a compiled environment side by side.

Notation: N environments, A action dimensions.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from envs.base import SafeEnv, State, VectorEnv
from envs.batching.compaction import map_active

PHASES = 16
"""Staggered episodes end at this many different steps."""
_MIN_RESETS = 16  # computed together


class _Start(NamedTuple):
    """What a new episode replaces in a state."""

    obs: jax.Array
    pipeline_state: Any
    episode: dict[str, jax.Array]  # the entries of `info` that belong to the episode

    @classmethod
    def of(cls, state: State) -> "_Start":
        return cls(state.obs, state.pipeline_state, {name: state.info[name] for name in ("key", "steps", "length")})


class CompiledVectorEnv:
    """N copies of a `SafeEnv` by `vmap`; pure, so that it can be jitted, scanned, vmapped and pmapped.

    With `staggered` the first episodes are cut short at different steps, which spreads the copies over the phases of an
    episode from then on; `info["length"]` `[N]` is the step at which the current episode is cut.
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
        """Return the states of N new episodes."""
        state = self._begin(jax.random.split(key, self.num_envs))
        if not self.staggered:
            return state
        phase = 1 + jnp.arange(self.num_envs, dtype=jnp.int32) % PHASES
        return state.replace(info=state.info | {"length": -(-phase * self.episode_length // PHASES)})

    def step(self, state: State, action: jax.Array) -> State:
        """Step all environments by `action` `[N, A]`; where an episode ends, the next one begins."""
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
        """Begin new episodes where `ended` `[N]`, computed for as many together as end in one phase."""
        size = max(_MIN_RESETS, -(-self.num_envs // PHASES))

        def begin(keys: jax.Array) -> _Start:
            return _Start.of(self._begin(keys))

        start = map_active(begin, ended, stepped.info["key"], _Start.of(stepped), size=size)
        return stepped.replace(obs=start.obs, pipeline_state=start.pipeline_state, info=stepped.info | start.episode)


def vectorize(env: SafeEnv, num_envs: int, *, staggered: bool = False) -> VectorEnv:
    """`num_envs` copies of `env` side by side; `staggered` cuts their first episodes short at different steps."""
    return CompiledVectorEnv(env, num_envs, staggered=staggered)
