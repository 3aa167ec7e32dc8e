"""A host environment that costs nothing and fails when told to, for the tests of pools and workers."""

import os
import signal
import time
from pathlib import Path

import numpy as np

from envs.host.protocol import HostSpec, HostStep

EPISODE_LENGTH = 5
RAISE, DIE, HANG = 0.1, 0.2, 0.3
SPEC = HostSpec(observation_size=3, action_size=2, episode_length=EPISODE_LENGTH, component_names=("cost_a", "cost_b"))


class ToyEnv:
    """Observes its seed's noise, its step count and the sum of its actions: what it shows tells its whole history.

    A first action of RAISE, DIE or HANG does so; with `once`, a file's path, only while there is no such file.
    """

    spec = SPEC

    def __init__(self, once: str = "") -> None:
        self._once = Path(once) if once else None

    def reset(self, seed: int) -> np.ndarray:
        self._noise = np.random.RandomState(seed).uniform()
        self._count, self._sum = 0, 0.0
        return self._observe()

    def step(self, action: np.ndarray) -> HostStep:
        self._misbehave(round(float(action[0]), 4))
        self._count += 1
        self._sum += float(action.sum())
        components = np.array([self._count % 2, 1.0])
        ended = self._count >= EPISODE_LENGTH
        return HostStep(self._observe(), self._sum, float(components.any()), components, False, ended)

    def _observe(self) -> np.ndarray:
        return np.array([self._noise, self._count, self._sum])

    def _misbehave(self, how: float) -> None:
        if how not in (RAISE, DIE, HANG) or (self._once and self._once.exists()):
            return
        if self._once:
            self._once.touch()
        if how == RAISE:
            raise ArithmeticError("the toy was told to raise")
        if how == DIE:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(1000)


class BrittleEnv(ToyEnv):
    """Raises in the third step of every episode."""

    def step(self, action: np.ndarray) -> HostStep:
        if self._count == 2:
            raise ArithmeticError("the toy is brittle")
        return super().step(action)


class RareEnv(ToyEnv):
    """Can be made once, as what holds a license: `taken` is a file that the first one leaves."""

    def __init__(self, taken: str) -> None:
        super().__init__()
        if Path(taken).exists():
            raise OSError("no license is left\nfor another one")
        Path(taken).touch()


class SlowEnv(ToyEnv):
    """Takes its time."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def step(self, action: np.ndarray) -> HostStep:
        time.sleep(self._seconds)
        return super().step(action)
