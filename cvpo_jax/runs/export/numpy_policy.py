"""Run an exported policy with NumPy alone; started as a script, it measures the time of an action.

policy = Policy("policy.npz")
action = policy(observation)
"""

import sys
import time
from pathlib import Path
from typing import BinaryIO

import numpy as np


class Policy:
    """A policy from observations `[..., O]`, as the environment gives them, to actions `[..., A]` in its units."""

    def __init__(self, path: str | Path | BinaryIO) -> None:
        with np.load(path) as stored:
            arrays = dict(stored)
        self.low, self.high = arrays["action_low"], arrays["action_high"]  # [A]
        self._mean, self._std = arrays["observation_mean"], arrays["observation_std"]  # [O]
        self._clip = arrays["observation_clip"]  # []
        count = sum(name.startswith("kernel_") for name in arrays)
        self._layers = [(arrays[f"kernel_{index}"], arrays[f"bias_{index}"]) for index in range(count)]
        self.observation_size, self.action_size = self._mean.size, self.low.size

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        """Return the actions (float32); raises ValueError for observations of another size, or not finite."""
        observation = np.asarray(observation, np.float32)
        if observation.shape[-1:] != self._mean.shape:
            size = f"the shape {observation.shape}"
            raise ValueError(f"observations have {self.observation_size} values, but what was given has {size}")
        if not np.isfinite(observation).all():
            index = np.argwhere(~np.isfinite(observation))[0][-1]
            raise ValueError(f"value {index} of an observation is not finite: a robot must not act on it")
        hidden = np.minimum(np.maximum((observation - self._mean) / self._std, -self._clip), self._clip)
        for kernel, bias in self._layers[:-1]:
            hidden = np.maximum(hidden @ kernel + bias, 0)
        kernel, bias = self._layers[-1]
        action = (self.low + self.high) / 2 + (self.high - self.low) / 2 * np.tanh(hidden @ kernel + bias)
        return np.minimum(np.maximum(action, self.low), self.high)


def main(repeats: int = 20_000) -> None:
    """Print the median and the 99 % quantile of the time of an action."""
    path = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_suffix(".npz")
    policy, seconds = Policy(path), np.zeros(repeats)
    observation = np.zeros(policy.observation_size, np.float32)
    for index in range(repeats):
        start = time.perf_counter()
        policy(observation)
        seconds[index] = time.perf_counter() - start
    print(f"an action takes {np.median(seconds) * 1e6:.1f} us, of 99 % at most {np.quantile(seconds, 0.99) * 1e6:.1f}")


if __name__ == "__main__":
    main()
