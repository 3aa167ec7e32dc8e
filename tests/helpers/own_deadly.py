"""Environments that end their whole process, named as `own_deadly:Name`."""

import ctypes
import os
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from own_gymnasium import SAME_STEP, toy

WAYS: dict[str, Callable[[], Any]] = {
    "leaves": lambda: os._exit(3),
    "leaves well": lambda: os._exit(0),
    "leaves in C": lambda: ctypes.CDLL(None).exit(7),
    "crashes": lambda: ctypes.string_at(0),
    "is killed": lambda: os.kill(os.getpid(), 9),
    "exits": lambda: exit(4),
}


class Deadly(gymnasium.Wrapper):
    """A toy that ends as `how` says: when it is made, or, counted together, in the reset or step of number `at`."""

    def __init__(self, how: str, at: int = 0) -> None:
        super().__init__(toy(limit=100))
        self._how, self._at, self._count = how, at, -1
        self._tick()

    def reset(self, **options: Any) -> Any:
        self._tick()
        return super().reset(**options)

    def step(self, action: np.ndarray) -> Any:
        self._tick()
        return super().step(action)

    def _tick(self) -> None:
        self._count += 1
        if self._count == self._at:
            WAYS[self._how]()


def vector(num_envs: int, **options: Any) -> Any:
    """Some of them in the training process."""
    more = {"autoreset_mode": gymnasium.vector.AutoresetMode(SAME_STEP)} if SAME_STEP else {}
    return gymnasium.vector.SyncVectorEnv([lambda: Deadly(**options)] * num_envs, **more)


class WithJax:
    """What only the program itself can make, since it imports JAX first."""

    def __init__(self) -> None:
        import jax  # noqa: F401

        os._exit(5)
