"""The ports for everyone else: environments by Gymnasium's rules, single and in vectors, with the cost in `info`.

`gymnasium.make` and `gymnasium.make_vec` make them by the ids of `gymnasium_ids`. Needs Gymnasium 1.1 or later.

Notation: N environments, O observation size, A action dimensions.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

import envs
from envs.base import SafeEnv, State
from envs.navigation import render
from envs.vector import CompiledVectorEnv

_DRAWN = {"render_modes": ["rgb_array"], "render_fps": 30}

Info = dict[str, Any]


class Outcome(NamedTuple):
    """What a step brought, of one environment or of N."""

    obs: Any  # [O] or [N, O]; of an episode that ended the last
    reward: Any
    terminated: Any
    truncated: Any
    costs: dict[str, Any]  # "cost", and each component

    @classmethod
    def of(cls, state: State) -> "Outcome":
        """What the state tells of the step that led to it."""
        costs = {"cost": state.info["cost"][..., 0]} | state.info["cost_components"]
        terminated, truncated = state.done > 0, state.info["truncation"] > 0
        return cls(state.obs, state.reward, terminated, truncated & ~terminated, costs)

    def on_host(self) -> "Outcome":
        """The same as arrays of NumPy that may be written to."""
        return jax.tree.map(np.array, jax.device_get(self))


class PortEnv(gymnasium.Env):
    """The port `task_id`, whose `options` are those of `envs.make`; those of navigation draw as "rgb_array"."""

    metadata: dict[str, Any] = _DRAWN

    def __init__(self, task_id: str, render_mode: str | None = None, **options: Any) -> None:
        self._env, self._begin, self._step = _compiled(task_id, tuple(sorted(options.items())))
        if not isinstance(self._env, envs.NavigationEnv):
            self.metadata = {"render_modes": []}
        modes = self.metadata["render_modes"]
        if render_mode not in (None, *modes):
            raise ValueError(f'render_mode is "{render_mode}": {task_id} knows {", ".join(modes) or "none"}')
        self.render_mode = render_mode
        self.observation_space, self.action_space = _spaces(self._env)
        self._state: Any = None

    def reset(self, *, seed: int | None = None, options: Info | None = None) -> tuple[np.ndarray, Info]:
        """Begin an episode, in a new layout."""
        super().reset(seed=seed)
        self._state = self._begin(_key(self.np_random))
        return np.array(self._state.obs, np.float32), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, Info]:
        """Make one step under `action` `[A]`, which is clipped to [-1, 1]; `info` has the cost and its components."""
        self._state, outcome = self._step(self._state, np.asarray(action, np.float32))
        obs, reward, terminated, truncated, costs = outcome.on_host()
        info = {name: float(cost) for name, cost in costs.items()}
        return obs, float(reward), bool(terminated), bool(truncated), info

    def render(self) -> Any:
        """A picture `[height, width, 3]` (uint8) from above, None without a render_mode."""
        if self.render_mode is None:
            return None
        return render.frames(self._env, [self._state])[0]


class PortVectorEnv(gymnasium.vector.VectorEnv):
    """`num_envs` of the port `task_id` in one compiled step; new episodes begin in the step that ends the old.

    As Gymnasium has it for that mode, the observations are those of the new episodes then; `info["final_obs"]` and
    `info["final_info"]` have the old ones' last. `info["cost"]` `[N]` is always that of the step that was made.
    """

    def __init__(
        self,
        num_envs: int,
        task_id: str,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
        **options: Any,
    ) -> None:
        if render_mode is not None:
            raise ValueError(f'render_mode is "{render_mode}": vectors are not drawn, gymnasium.make is for that')
        if max_episode_steps is not None:
            options["episode_length"] = max_episode_steps
        self.num_envs = num_envs
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        self._vector = CompiledVectorEnv(_made(task_id, tuple(sorted(options.items()))), num_envs)
        self.single_observation_space, self.single_action_space = _spaces(self._vector.env)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._state: Any = None
        self._begin = jax.jit(self._vector.reset)
        self._step = jax.jit(self._advance, donate_argnums=0)
        self._renew = jax.jit(self._vector.renew)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: Info | None = None
    ) -> tuple[np.ndarray, Info]:
        """Begin episodes in all environments, or in those of `options["reset_mask"]` `[N]`."""
        numbers = [number for number in np.atleast_1d(np.array(seed, object)) if number is not None]
        super().reset(seed=_combined(numbers))
        mask = (options or {}).get("reset_mask")
        if mask is None or self._state is None:
            self._state = self._begin(_key(self.np_random))
        else:
            self._state = self._renew(self._state, jnp.asarray(mask, bool))
        return np.array(self._state.obs), {}

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, Any, Any, Any, Info]:
        """Step all environments by `actions` `[N, A]`, which are clipped to [-1, 1]."""
        self._state, outcome = self._step(self._state, np.asarray(actions, np.float32))
        last, reward, terminated, truncated, costs = outcome.on_host()
        info = _told(costs, np.ones(self.num_envs, bool))
        ended = terminated | truncated
        if not ended.any():
            return last, reward, terminated, truncated, info
        final = np.full(self.num_envs, None, object)
        for row in np.flatnonzero(ended):
            final[row] = last[row]
        info |= {"final_obs": final, "_final_obs": ended}
        info |= {"final_info": _told(costs, ended), "_final_info": ended.copy()}
        return np.array(self._state.obs), reward, terminated, truncated, info

    def _advance(self, state: State, actions: jax.Array) -> tuple[State, Outcome]:
        stepped, ended = self._vector.advance(state, actions)
        return self._vector.renew(stepped, ended), Outcome.of(stepped)


@cache
def _made(task_id: str, options: tuple[tuple[str, Any], ...]) -> SafeEnv:
    if dict(options).get("constraints"):
        raise ValueError("constraints cannot be chosen here: info has the cost and all components of it")
    return envs.make(task_id, **dict(options))


@cache
def _compiled(task_id: str, options: tuple[tuple[str, Any], ...]) -> tuple[SafeEnv, Any, Any]:
    """The environment with its compiled reset and step, shared by all that are made alike."""
    env = _made(task_id, options)

    def step(state: State, action: jax.Array) -> tuple[State, Outcome]:
        state = env.step(state, action)
        return state, Outcome.of(state)

    return env, jax.jit(env.reset), jax.jit(step)


def _spaces(env: SafeEnv) -> tuple[gymnasium.spaces.Box, gymnasium.spaces.Box]:
    """Observations and actions of one environment."""
    observations = gymnasium.spaces.Box(-np.inf, np.inf, (int(env.observation_size),), np.float32)
    return observations, gymnasium.spaces.Box(-1.0, 1.0, (env.action_size,), np.float32)


def _key(random: np.random.Generator) -> jax.Array:
    return jax.random.PRNGKey(random.integers(2**32, dtype=np.uint32))


def _combined(seeds: Sequence[int]) -> int | None:
    """One seed for all."""
    if len(seeds) <= 1:
        return int(seeds[0]) if seeds else None
    return int(np.random.SeedSequence([int(seed) for seed in seeds]).generate_state(1)[0])


def _told(costs: dict[str, np.ndarray], rows: np.ndarray) -> Info:
    """Entries of a vector's info, each with the mask of the `rows` `[N]` that it is told of."""
    return {name: np.where(rows, cost, 0) for name, cost in costs.items()} | {f"_{name}": rows.copy() for name in costs}
