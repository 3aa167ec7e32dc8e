"""Many copies of a compiled environment side by side.

Notation: N environments, A action dimensions.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from envs.base import Episode, SafeEnv, State, VectorEnv, episode_of, with_episode
from envs.batching.compaction import map_active
from envs.staggering import PHASES, first_lengths

_MIN_RESETS = 16  # computed together
_REPORT = ("cost", "cost_components", "truncation")  # of the step that was made, even if it ended the episode


class _Start(NamedTuple):
    """What a new episode replaces in a state."""

    obs: jax.Array
    pipeline_state: Any
    info: dict[str, Any]

    @classmethod
    def of(cls, state: State) -> "_Start":
        kept = {name: value for name, value in state.info.items() if name not in _REPORT}
        return cls(state.obs, state.pipeline_state, kept)


class CompiledVectorEnv:
    """N copies of a `SafeEnv` by `vmap`; pure, so that it can be jitted, scanned, vmapped and pmapped.

    With `staggered` the first episodes are cut short at different steps, which spreads the copies over the phases of an
    episode from then on. `episode_length` cuts all episodes. Raises ValueError if that is longer than the environment's
    own, or `num_envs` less than 1.
    """

    def __init__(
        self, env: SafeEnv, num_envs: int, *, staggered: bool = False, episode_length: int | None = None
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs is {num_envs}: at least 1 is needed")
        if episode_length is not None and not 1 <= episode_length <= env.episode_length:
            raise ValueError(f"episode_length is {episode_length}: episodes have at most {env.episode_length} steps")
        self.env = env
        self.num_envs = num_envs
        self.staggered = staggered
        self.observation_size = int(env.observation_size)
        self.action_size = env.action_size
        self.episode_length = episode_length or env.episode_length
        self.reward_scale = env.reward_scale
        self.cost_names = env.cost_names
        self.num_constraints = env.num_constraints

    def reset(self, key: jax.Array) -> State:
        """Return the states of N new episodes."""
        state = self._begin(jax.random.split(key, self.num_envs))
        if not self.staggered:
            return state
        lengths = jnp.asarray(first_lengths(self.num_envs, self.episode_length))
        return with_episode(state, episode_of(state).replace(length=lengths))

    def step(self, state: State, action: jax.Array) -> State:
        """Step all environments by `action` `[N, A]`; where an episode ends, the next one begins."""
        return self.renew(*self.advance(state, action))

    def advance(self, state: State, action: jax.Array) -> tuple[State, jax.Array]:
        """The states after a step, even those that end an episode, and which ones do `[N]`."""
        stepped = jax.vmap(self.env.step)(state, action)
        episode = episode_of(state)
        episode = episode.replace(steps=episode.steps + 1)
        truncation = jnp.maximum(stepped.info["truncation"], episode.steps >= episode.length)
        stepped = with_episode(stepped.replace(info=stepped.info | {"truncation": truncation}), episode)
        return stepped, jnp.maximum(stepped.done, truncation) > 0

    def renew(self, stepped: State, ended: jax.Array) -> State:
        """The states with new episodes where `ended` `[N]`."""
        return lax.cond(jnp.any(ended), self._renew, lambda stepped, _: stepped, stepped, ended)

    def _begin(self, keys: jax.Array) -> State:
        split = jax.vmap(jax.random.split)(keys)
        state = jax.vmap(self.env.reset)(split[:, 0])
        steps = jnp.zeros(keys.shape[0], jnp.int32)
        return with_episode(state, Episode(steps, jnp.full_like(steps, self.episode_length), split[:, 1]))

    def _renew(self, stepped: State, ended: jax.Array) -> State:
        """Begin new episodes where `ended` `[N]`, computed for as many together as end in one phase."""
        size = max(_MIN_RESETS, -(-self.num_envs // PHASES))

        def begin(keys: jax.Array) -> _Start:
            return _Start.of(self._begin(keys))

        start = map_active(begin, ended, episode_of(stepped).key, _Start.of(stepped), size=size)
        return stepped.replace(obs=start.obs, pipeline_state=start.pipeline_state, info=stepped.info | start.info)


def vectorize(env: SafeEnv, num_envs: int, *, staggered: bool = False, episode_length: int | None = None) -> VectorEnv:
    """`num_envs` copies of `env` side by side; the options are those of `CompiledVectorEnv`."""
    return CompiledVectorEnv(env, num_envs, staggered=staggered, episode_length=episode_length)
