"""Gymnasium's spaces as flat vectors: what an environment observes, and actions in [-1, 1].

It does without JAX. Notation: O observation size, A action dimensions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from envs.adapters.errors import picture_refused
from envs.host.protocol import ContractError

_OBSERVATIONS = "supported are Box, Discrete, MultiDiscrete, MultiBinary, and Dict and Tuple of them"
_ACTIONS = "supported is Box, for continuous actions"


@dataclass(frozen=True)
class Observations:
    """Flat observations of `space`, or of its entry `key` where that is given."""

    space: Any
    key: str | None
    size: int  # O

    @classmethod
    def of(cls, space: Any, key: str | None, name: str) -> "Observations":
        """Those of an environment's observation space; raises ValueError if it cannot be made a vector."""
        from gymnasium import spaces

        _check_is_space(space, "observation_space", name, _OBSERVATIONS)
        if key is not None:
            entries = list(space.spaces) if isinstance(space, spaces.Dict) else []
            if key not in entries:
                has = f"the entries {', '.join(entries)}" if entries else f"no entries: they are a {_told(space)}"
                raise ValueError(f'{name}: observation_key is "{key}", but its observations have {has}')
            space = space[key]
        _refuse_pictures(space, name)
        try:
            size = spaces.flatdim(space)
        except (NotImplementedError, ValueError):
            raise ValueError(f"{name} observes a {_told(space)}: {_OBSERVATIONS}") from None
        return cls(space, key, size)

    def flat(self, observation: Any) -> np.ndarray:
        """The vector `[O]` (float64) of an observation.

        Raises ContractError, without the environment's name, for one that does not fit the space or is not finite.
        """
        return self._checked(lambda: self._vector(self._entry(observation)))

    def flat_rows(self, observations: Any, num_envs: int) -> np.ndarray:
        """The vectors `[N, O]` (float64) of a batch of observations; raises ContractError as `flat` does."""
        return self._checked(lambda: self._rows(self._entry(observations), num_envs))

    def _checked(self, flatten: Callable[[], np.ndarray]) -> np.ndarray:
        """What `flatten()` returns, if it fits the space and is finite."""
        try:
            values = flatten()
        except Exception as error:
            raise ContractError(
                f"the observation does not fit its space, a {_told(self.space)}: {type(error).__name__}: {error}; "
                "correct observation_space or what is returned"
            ) from error
        if not np.isfinite(values).all():
            *row, index = np.argwhere(~np.isfinite(values))[0].tolist()
            whose = f" by environment {row[0]}" if row else ""
            value = values[(*row, index)]
            raise ContractError(f"value {index} of {self.size} observed{whose} is {value}: it must be finite")
        return values

    def _entry(self, observation: Any) -> Any:
        return observation if self.key is None else observation[self.key]

    def _rows(self, observations: Any, num_envs: int) -> np.ndarray:
        from gymnasium import spaces
        from gymnasium.vector.utils import batch_space, iterate

        if isinstance(self.space, spaces.Box):
            array = np.asarray(observations, np.float64)
            if array.shape != (num_envs, *self.space.shape):
                raise ValueError(f"the shape of all is {array.shape}, not {(num_envs, *self.space.shape)}")
            return array.reshape(num_envs, -1)
        return np.stack([self._vector(row) for row in iterate(batch_space(self.space, num_envs), observations)])

    def _vector(self, observation: Any) -> np.ndarray:
        from gymnasium import spaces

        if isinstance(self.space, spaces.Box):
            array = np.asarray(observation, np.float64)
            if array.shape != self.space.shape:
                raise ValueError(f"its shape is {array.shape}, not {self.space.shape}")
            return array.ravel()
        vector = np.asarray(spaces.flatten(self.space, observation), np.float64)
        if vector.size != self.size:
            raise ValueError(f"it has {vector.size} values, not {self.size}")
        return vector


def _check_is_space(space: Any, attribute: str, name: str, supported: str) -> None:
    """Raise ValueError unless `space` is one of Gymnasium's."""
    from gymnasium import spaces

    if not isinstance(space, spaces.Space):
        raise ValueError(f"{name} has the {attribute} {space!r}: give it one of gymnasium.spaces; {supported}")


def _refuse_pictures(space: Any, name: str) -> None:
    """Raise ValueError if the space, or an entry of it, is a picture."""
    from gymnasium import spaces

    if isinstance(space, spaces.Dict | spaces.Tuple):
        parts = space.spaces.values() if isinstance(space, spaces.Dict) else space.spaces
        for part in parts:
            _refuse_pictures(part, name)
    elif isinstance(space, spaces.Box):
        dimensions = len(space.shape)
        if dimensions >= 3 or (dimensions == 2 and space.dtype == np.uint8):
            raise picture_refused(name, space.shape)


@dataclass(frozen=True)
class Actions:
    """Actions in [-1, 1] for a Box: scaled to its bounds, in its shape."""

    low: np.ndarray  # [A]
    high: np.ndarray  # [A]
    shape: tuple[int, ...]
    dtype: Any

    @classmethod
    def of(cls, space: Any, bound: float | None, name: str) -> "Actions":
        """Those of an environment's action space, with `bound` (positive) in place of infinite bounds.

        Raises ValueError unless it is a Box of floats that is bounded then.
        """
        from gymnasium import spaces

        if not isinstance(space, spaces.Box) or not np.issubdtype(space.dtype, np.floating):
            raise ValueError(f"{name} acts by a {_told(space)}: {_ACTIONS}")
        low, high = (np.asarray(side, np.float64).ravel() for side in (space.low, space.high))
        infinite = ~np.isfinite(low) | ~np.isfinite(high)
        if infinite.any() and bound is None:
            index = int(np.flatnonzero(infinite)[0])
            raise ValueError(
                f"{name}: action {index} is unbounded, in [{low[index]:g}, {high[index]:g}]: "
                "give action_bound X for actions in [-X, X], or bound the action space"
            )
        if bound is not None and not infinite.any():
            raise ValueError(
                f"{name}: action_bound is {bound:g}, but its action space is bounded already: leave it out"
            )
        low, high = np.where(np.isfinite(low), low, -(bound or 0)), np.where(np.isfinite(high), high, bound or 0)
        if (low > high).any():
            index = int(np.flatnonzero(low > high)[0])
            raise ValueError(
                f"{name}: action {index} has the bounds [{low[index]:g}, {high[index]:g}]: none lies between"
            )
        return cls(low, high, space.shape, space.dtype)

    @property
    def size(self) -> int:
        """A."""
        return self.low.size

    def scaled(self, action: np.ndarray) -> np.ndarray:
        """The environment's actions for `action` `[..., A]` in [-1, 1]."""
        center, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        value = np.clip(center + half * np.asarray(action, np.float64), self.low, self.high)
        return value.reshape(*value.shape[:-1], *self.shape).astype(self.dtype)


def _told(space: Any) -> str:
    """Type and shape, in few words."""
    shape = getattr(space, "shape", None)
    kind = f"{type(space).__name__} of {space.dtype}" if shape else type(space).__name__
    return f"{kind} with the shape {shape}" if shape else kind
