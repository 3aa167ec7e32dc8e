"""An environment of Brax or MuJoCo Playground inside the compiled loop.

Such an environment is recognized by what it offers, so that neither library need be imported: `reset(rng)` and
`step(state, action)` return a state with `obs`, `reward`, `done`, `info` and perhaps `metrics`.

Notation: O observation size, A action dimensions, C constraints.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from envs.adapters.compiled_state import Layout, agreed, flat, refuse_pictures
from envs.adapters.costs import MISSING, PREFIX, TOTAL
from envs.adapters.errors import describe
from envs.base import SafeEnv, State, WrappedEnv

_REFUSED = ("AutoReset", "Vmap", "EvalWrapper")  # in the names of classes
_ACTIONS = "supported are action vectors in [-1, 1]"


class CompiledEnv(WrappedEnv):
    """`env`, called `name` in messages, as a `SafeEnv`.

    Its own state is kept whole as `State.pipeline_state`, so that its info, metrics and counters begin anew with each
    episode. Observations are flat: those of a dictionary are its entry `observation_key`, else "state" if there is
    "privileged_state" beside it, else all of them in the order of their names. `constraints` names the cost components
    that make up `info["cost"]`; empty: the environment's own cost, or the sum of its components. Its time limit is
    `episode_length`, else the environment's own; a vector of environments applies it. Raises ValueError, in one line,
    for an environment that cannot be run so.
    """

    def __init__(
        self,
        env: Any,
        *,
        name: str,
        constraints: Sequence[str] = (),
        episode_length: int | None = None,
        observation_key: str | None = None,
    ) -> None:
        _refuse_wrappers(env, name)
        super().__init__(env)
        self._name = name
        self.episode_length = episode_length or _own_length(env, name)
        self._action_size = _action_size(env, name)
        self._layout = self._agreed_layout()
        start = jax.eval_shape(self._reset, jax.random.PRNGKey(0))
        if jnp.shape(start.reward) != ():
            raise ValueError(f"{name} is batched, its rewards have the shape {start.reward.shape}: give a single one")
        self._key = _observation_key(start.obs, observation_key, name)
        refuse_pictures(self._chosen(start.obs), name)
        self._observation_size = jax.eval_shape(flat, self._chosen(start.obs)).size
        self.cost_names = _cost_names(start, name)
        self.constraints = tuple(constraints)
        for constraint in constraints:
            if constraint not in self.cost_names:
                raise ValueError(
                    f'{name}: constraint "{constraint}" is not among its costs: {", ".join(self.cost_names)}'
                )

    @property
    def observation_size(self) -> int:
        """O, of the flat observations."""
        return self._observation_size

    @property
    def action_size(self) -> int:
        """Of the wrapped environment."""
        return self._action_size

    @property
    def backend(self) -> str:
        """Of the wrapped environment."""
        return getattr(self._env, "backend", "mjx")

    def reset(self, rng: jax.Array) -> State:
        """Begin an episode."""
        return self._state(self._reset(rng))

    def step(self, state: State, action: jax.Array) -> State:
        """Make one step under `action` `[A]` in [-1, 1]."""
        return self._state(self._step(state.pipeline_state, action))

    def _state(self, own: Any) -> State:
        """What trainers read from the environment's `own` state."""
        costs = _costs(own)
        components = {name: costs[name] for name in self.cost_names}
        total = costs[TOTAL] if TOTAL in costs else sum(components.values(), start=jnp.zeros(()))
        chosen = [components[name] for name in self.constraints] or [total]
        truncation = jnp.asarray(own.info.get("truncation", 0), jnp.float32)
        return State(
            pipeline_state=own,
            obs=flat(self._chosen(own.obs)),
            reward=jnp.asarray(own.reward, jnp.float32),
            done=jnp.asarray(own.done, jnp.float32) * (1 - truncation),  # Brax reports a time limit as both
            info={"cost": jnp.stack(chosen), "cost_components": components, "truncation": truncation},
        )

    def _chosen(self, observation: Any) -> Any:
        return observation if self._key is None else observation[self._key]

    def _reset(self, rng: jax.Array) -> Any:
        return self._layout.stored(self._env.reset(rng))

    def _step(self, own: Any, action: jax.Array) -> Any:
        return self._layout.stored(self._env.step(self._layout.opened(own), action))

    def _agreed_layout(self) -> Layout:
        """The types of a state's arrays that resets and steps agree on."""
        try:
            start = jax.eval_shape(self._env.reset, jax.random.PRNGKey(0))
        except Exception as error:
            raise ValueError(f"{self._name}: reset(rng) cannot be compiled: {describe(error)}") from error
        missing = [field for field in ("obs", "reward", "done", "info") if not hasattr(start, field)]
        if missing:
            raise ValueError(f"{self._name}: reset returns a {type(start).__name__} without {', '.join(missing)}")
        try:
            stepped = jax.eval_shape(self._env.step, start, jnp.zeros(self._action_size))
        except Exception as error:
            raise ValueError(f"{self._name}: step(state, action) cannot be compiled: {describe(error)}") from error
        return agreed(start, stepped, self._name)


class SelectedCosts(WrappedEnv):
    """`env` with the cost components `constraints` in `info["cost"]`; raises ValueError for one that it has not."""

    def __init__(self, env: SafeEnv, constraints: Sequence[str]) -> None:
        for name in constraints:
            if name not in env.cost_names:
                raise ValueError(f'constraint "{name}" is not among the costs here: {", ".join(env.cost_names)}')
        super().__init__(env)
        self.constraints = tuple(constraints)
        self.cost_names, self.episode_length = env.cost_names, env.episode_length
        self.reward_scale = env.reward_scale

    def reset(self, rng: jax.Array) -> State:
        """Begin an episode."""
        return self._selected(self._env.reset(rng))

    def step(self, state: State, action: jax.Array) -> State:
        """Make one step under `action` `[A]`."""
        return self._selected(self._env.step(state, action))

    def _selected(self, state: State) -> State:
        components = state.info["cost_components"]
        return state.replace(info=state.info | {"cost": jnp.stack([components[name] for name in self.constraints])})


def _refuse_wrappers(env: Any, name: str) -> None:
    """Raise ValueError for an environment that is batched, or begins new episodes by itself."""
    while env is not None:
        if any(part in type(env).__name__ for part in _REFUSED):
            raise ValueError(f"{name} is wrapped in {type(env).__name__}: give it without, batches are made here")
        env = vars(env).get("env") if hasattr(env, "__dict__") else None


def _own_length(env: Any, name: str) -> int:
    """The environment's time limit in steps: its attribute, or Playground's configuration."""
    config = getattr(env, "_config", None)
    length = getattr(env, "episode_length", None) or getattr(config, "episode_length", None)
    if length is None:
        raise ValueError(f"{name} has no time limit: give --episode_length STEPS (of run: --env.episode_length)")
    return int(length)


def _action_size(env: Any, name: str) -> int:
    size = env.action_size
    if isinstance(size, Mapping | Sequence) or int(size) < 1:
        raise ValueError(f"{name} has the action_size {size}: {_ACTIONS}")
    return int(size)


def _observation_key(observation: Any, key: str | None, name: str) -> str | None:
    """The entry of a dictionary that is used; None: all."""
    entries = sorted(observation) if isinstance(observation, Mapping) else []
    if key is not None and key not in entries:
        has = f"the entries {', '.join(entries)}" if entries else "no entries: they are no dictionary"
        raise ValueError(f'{name}: observation_key is "{key}", but its observations have {has}')
    if key is None and {"state", "privileged_state"} <= set(entries):
        return "state"  # what a robot's own sensors tell
    return key


def _costs(own: Any) -> dict[str, jax.Array]:
    """The numbers called cost or cost_NAME in metrics and info."""
    entries = dict(getattr(own, "metrics", None) or {}) | dict(own.info)
    named = {name: value for name, value in entries.items() if name == TOTAL or name.startswith(PREFIX)}
    return {name: value.astype(jnp.float32) for name, value in named.items() if getattr(value, "shape", None) == ()}


def _cost_names(start: Any, name: str) -> tuple[str, ...]:
    """The components of the cost, or the cost itself if there are none."""
    costs = jax.eval_shape(_costs, start)
    if not costs:
        raise ValueError(f"{name} has no cost, a number in info or metrics of reset and step alike: {MISSING}")
    return tuple(sorted(set(costs) - {TOTAL})) or (TOTAL,)
