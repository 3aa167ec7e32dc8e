"""A host environment that sleeps, for `async_overlap.py`. Workers import this file, so it does not import JAX."""

import time

import numpy as np

from envs.host.protocol import HostSpec, HostStep

_OBSERVATION = 60


class SleepEnv:
    """A step takes `seconds` of time and no processor time."""

    spec = HostSpec(observation_size=_OBSERVATION, action_size=2, episode_length=1000, component_names=("cost_a",))

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def reset(self, seed: int) -> np.ndarray:
        """Return the observation `[60]`, all zeros."""
        return np.zeros(_OBSERVATION)

    def step(self, action: np.ndarray) -> HostStep:
        """Sleep, then return zeros."""
        time.sleep(self._seconds)
        return HostStep(np.zeros(_OBSERVATION), 0.0, 0.0, np.zeros(1), False, False)
