"""A policy's mean as plain arrays, which is all that acting takes.

Notation: B observations of size O, A action dimensions, L layers with the output's.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from cvpo_jax.algorithm.state import TrainState
from cvpo_jax.algorithm.update import MAX_NORMALIZED_OBSERVATION


@dataclass(frozen=True)
class PolicyArrays:
    """The averaged policy; all arrays are float32."""

    observation_mean: np.ndarray  # [O]
    observation_std: np.ndarray  # [O]
    observation_clip: float  # bound on normalized observations
    kernels: tuple[np.ndarray, ...]  # L of [inputs, outputs]
    biases: tuple[np.ndarray, ...]  # L of [outputs]
    action_low: np.ndarray  # [A]
    action_high: np.ndarray  # [A]

    @classmethod
    def of(cls, state: TrainState, low: np.ndarray, high: np.ndarray) -> "PolicyArrays":
        """The policy of `state`, whose actions in [-1, 1] are scaled to `low` and `high` `[A]`."""
        layers = state.average_actor["params"]
        named = [layers[f"hidden_{index}"] for index in range(len(state.static.algo.hidden))] + [layers["mean"]]
        size, normalized = state.static.observation_size, state.static.algo.normalize_observations
        statistics = state.observation_statistics
        return cls(
            observation_mean=_float32(statistics.mean) if normalized else np.zeros(size, np.float32),
            observation_std=_float32(statistics.std) if normalized else np.ones(size, np.float32),
            observation_clip=MAX_NORMALIZED_OBSERVATION if normalized else float("inf"),
            kernels=tuple(_float32(layer["kernel"]) for layer in named),
            biases=tuple(_float32(layer["bias"]) for layer in named),
            action_low=_float32(low),
            action_high=_float32(high),
        )

    @property
    def observation_size(self) -> int:
        """O."""
        return self.observation_mean.size

    @property
    def action_center(self) -> np.ndarray:
        """Where actions lie `[A]` at an output of 0."""
        return (self.action_low + self.action_high) / 2

    @property
    def action_half(self) -> np.ndarray:
        """How far from the center actions go `[A]`."""
        return (self.action_high - self.action_low) / 2

    def act(self, observation: jax.Array) -> jax.Array:
        """Actions `[..., A]` for observations `[..., O]`, in JAX."""
        hidden = (observation - self.observation_mean) / self.observation_std
        hidden = jnp.clip(hidden, -self.observation_clip, self.observation_clip)
        for index, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            hidden = hidden if index == 0 else jax.nn.relu(hidden)
            # Accelerators would otherwise round the factors to fewer bits than the policy was evaluated with.
            hidden = jnp.matmul(hidden, kernel, precision=jax.lax.Precision.HIGHEST) + bias
        action = self.action_center + self.action_half * jnp.tanh(hidden)
        return jnp.clip(action, self.action_low, self.action_high)

    def rounding(self, observations: np.ndarray) -> np.ndarray:
        """How far apart float32 may put the actions `[B, A]` for `observations` `[B, O]`, in the units of actions.

        The roundings of all terms and sums add up as independent errors do, by their squares, eightfold to be on the
        safe side; sums of large terms round coarsely (Higham, Accuracy and Stability of Numerical Algorithms, 3.5).
        """
        unit, mean, std = 8 * np.finfo(np.float32).eps, self.observation_mean, self.observation_std
        whole = (observations.astype(np.float64) - mean) / std
        hidden = np.clip(whole, -self.observation_clip, self.observation_clip)
        square = np.where(hidden == whole, (unit * observations / std) ** 2 + (unit * hidden) ** 2, 0)
        for index, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            hidden = hidden if index == 0 else np.maximum(hidden, 0)
            weights = kernel.astype(np.float64)
            square = (square + (unit * hidden) ** 2) @ weights**2 + (unit * bias) ** 2
            hidden = hidden @ weights + bias
        # The rest is what functions that compute a tanh are off by, and the sum with the center.
        slope = 1 - np.tanh(hidden) ** 2
        return self.action_half * np.sqrt(square) * slope + unit * np.maximum(self.action_half, abs(self.action_center))


def _float32(array: jax.Array | np.ndarray) -> np.ndarray:
    return np.asarray(array, np.float32)
