"""Any environment of Gymnasium as a `HostEnv`, for worker processes.

It does without JAX. Notation: O observation size, A action dimensions, P cost components.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from envs.adapters.errors import describe, one_line
from envs.adapters.host_costs import CostReader, finite
from envs.adapters.spaces import Actions, Observations
from envs.host.protocol import ContractError, HostSpec, HostStep, RenderingError

PROBE_STEPS = 16
_STEP = "step returns (observation, reward, terminated, truncated, info), or with the cost after the reward"


class GymnasiumEnv:
    """The environment that `load()` makes, called `name` in messages.

    `episode_length` cuts episodes, which without it end by the environment's own limit. `action_bound` stands in for
    infinite bounds of the action space, `observation_key` picks an entry of dictionary observations. A reset and a few
    random steps tell what costs there are. Raises ValueError for what cannot be trained on and ContractError, also
    later, for what the environment may not return: both in one line.
    """

    def __init__(
        self,
        load: Callable[[], Any],
        *,
        name: str,
        episode_length: int | None = None,
        action_bound: float | None = None,
        observation_key: str | None = None,
    ) -> None:
        self.env = load()
        self._name = name
        self._elapsed = 0
        self._observations = Observations.of(getattr(self.env, "observation_space", None), observation_key, name)
        self._actions = Actions.of(getattr(self.env, "action_space", None), action_bound, name)
        self._costs = CostReader.of(self._probe(), name)
        self.spec = HostSpec(
            observation_size=self._observations.size,
            action_size=self._actions.size,
            episode_length=chosen_length(episode_length, own_limit(self.env), name),
            component_names=self._costs.names,
        )

    def reset(self, seed: int) -> np.ndarray:
        """Begin the episode of `seed` and return the observation `[O]`."""
        self._elapsed = 0
        result = self.env.reset(seed=seed)
        if not isinstance(result, tuple) or len(result) != 2:
            raise self._broken(f"reset returned {_count(result)}: it returns (observation, info)")
        try:
            return self._observations.flat(result[0])
        except ContractError as error:
            raise self._broken(error) from error

    def step(self, action: np.ndarray) -> HostStep:
        """Make one step under `action` `[A]` in [-1, 1]."""
        observation, reward, cost, terminated, truncated, info = self._stepped(action)
        self._elapsed += 1
        try:
            total, components = self._costs.read(cost, info)
            return HostStep(
                observation=self._observations.flat(observation),
                reward=finite(reward, "the reward"),
                cost=total,
                components=components,
                terminated=terminated,
                truncated=truncated or self._elapsed >= self.spec.episode_length,
            )
        except ContractError as error:
            raise self._broken(error) from error

    def render(self) -> Any:
        """What the environment draws, after `draw` a picture `[height, width, 3]` (uint8).

        Raises RenderingError, in one line, for what it raises and for anything but a picture.
        """
        try:
            picture = self.env.render()
        except Exception as error:
            raise RenderingError(f"{self._name} cannot be drawn: {describe(error)}") from error
        if getattr(picture, "shape", ())[2:] != (3,) or picture.dtype != np.uint8:
            said = f"{picture.dtype} {picture.shape}" if isinstance(picture, np.ndarray) else _count(picture)
            raise RenderingError(f"{self._name} cannot be drawn: render returned {said}, not uint8 (height, width, 3)")
        return picture

    def draw(self) -> float:
        """Have `render` return pictures, whatever the environment was made for; returns the seconds of a step.

        Raises ValueError where the environment does not say that it can.
        """
        inner = self.env.unwrapped
        if "rgb_array" not in inner.metadata.get("render_modes", ()):
            raise ValueError(f'{self._name} cannot be drawn: its metadata name no render mode "rgb_array"')
        inner.render_mode = "rgb_array"
        return self.step_seconds()

    def step_seconds(self) -> float:
        """The seconds of a step: its own, or those of a picture of its films; 0.02 where it tells neither."""
        inner = self.env.unwrapped
        return float(getattr(inner, "dt", 1 / inner.metadata.get("render_fps", 50)))

    def close(self) -> None:
        """Give back what the environment holds."""
        self.env.close()

    def _probe(self) -> list[tuple[Any, dict[str, Any]]]:
        """The costs and infos of a few random steps, each with the third of six values or None."""
        random, seen = np.random.RandomState(0), []
        try:
            self.reset(0)
            for _ in range(PROBE_STEPS):
                _, _, cost, terminated, truncated, info = self._stepped(random.uniform(-1, 1, self._actions.size))
                seen.append((cost, info))
                if terminated or truncated:
                    self.reset(0)
        except ContractError:
            raise
        except (Exception, SystemExit) as error:
            remedy = f"; {_STEP}" if "unpack" in str(error) else ""  # by a wrapper, of what it wraps
            raise ValueError(f"{self._name} cannot be reset and stepped: {describe(error)}{remedy}") from error
        return seen

    def _stepped(self, action: np.ndarray) -> tuple[Any, ...]:
        try:
            *most, terminated, truncated, info = six_values(self.env.step(self._actions.scaled(action)))
            return *most, _flag(terminated, "terminated"), _flag(truncated, "truncated"), info
        except ContractError as error:
            raise self._broken(error) from error

    def _broken(self, what: object) -> ContractError:
        """The error that says what is wrong, with environment and step."""
        return ContractError(one_line(f"{self._name}, step {self._elapsed} of an episode: {what}"))


def six_values(result: Any) -> tuple[Any, ...]:
    """What a step returns as six values, the cost third: None where the info tells it.

    Raises ContractError, without the environment's name, for another number of values.
    """
    if not isinstance(result, tuple) or len(result) not in (5, 6):
        raise ContractError(f"step returned {_count(result)}: {_STEP}")
    if not isinstance(result[-1], dict):
        raise ContractError(f"step returned a {type(result[-1]).__name__} as info: it is a dictionary")
    return result if len(result) == 6 else (*result[:2], None, *result[2:])


def _flag(value: Any, what: str) -> bool:
    """`value` as True or False; raises ContractError, without the environment's name, where it is neither."""
    if not isinstance(value, bool | int | float | np.generic | np.ndarray) or np.size(value) != 1:
        raise ContractError(f"{what} is {value!r}: it must be True or False")
    return bool(value)


def chosen_length(option: int | None, own: int | None, name: str) -> int:
    """The steps of an episode: `option`, which must not exceed the environment's own limit, or else that limit."""
    length = own if option is None else option
    if length is None:
        raise ValueError(f"{name} has no time limit: give --episode_length STEPS (of run: --env.episode_length)")
    if own is not None and length > own:
        raise ValueError(f"{name}: episode_length is {option}, but its own time limit is {own} steps")
    return length


def own_limit(env: Any) -> int | None:
    """The shortest time limit among the wrappers, or else the registered one."""
    import gymnasium

    limits = []
    while isinstance(env, gymnasium.Wrapper):
        limits.append(vars(env).get("_max_episode_steps"))
        env = env.env
    known = [limit for limit in limits if limit is not None]
    return min(known) if known else getattr(env.spec, "max_episode_steps", None)


def _count(result: Any) -> str:
    return f"{len(result)} values" if isinstance(result, tuple) else f"a {type(result).__name__}"
