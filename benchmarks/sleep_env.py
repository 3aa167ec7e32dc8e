"""A host environment that sleeps, for `overlap.py`: workers import this file, and have no use for JAX."""

import time

import numpy as np

from envs.host.protocol import HostSpec, HostStep

_OBSERVATION = 60


class Sleeper:
    """Takes `seconds` a step and no processor."""

    spec = HostSpec(observation_size=_OBSERVATION, action_size=2, episode_length=1000, component_names=("cost_a",))

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def reset(self, seed: int) -> np.ndarray:
        """Zeros `[60]`."""
        return np.zeros(_OBSERVATION)

    def step(self, action: np.ndarray) -> HostStep:
        """Sleep."""
        time.sleep(self._seconds)
        return HostStep(np.zeros(_OBSERVATION), 0.0, 0.0, np.zeros(1), False, False)
