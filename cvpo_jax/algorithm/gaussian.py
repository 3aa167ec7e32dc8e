"""Gaussians over actions: sampling, log-probability, entropy and the KL divergence split into mean and covariance.

Notation: A action dimensions. `scale` is the standard deviation `[..., A]` of a diagonal Gaussian or the lower
Cholesky factor `[..., A, A]` of a full one; which one is told by its rank.
"""

import math

import jax
import jax.numpy as jnp
from flax import struct
from jax.scipy.linalg import solve_triangular
from jax.scipy.special import erfinv

_SMALLEST_QUANTILE = 1e-6  # beyond it float32 would give infinite noise
_LOWER_HALF = 0xFFFF  # of a random word


class Gaussian(struct.PyTreeNode):
    """N(mean, S) with S = diag(scale^2) or scale scale'."""

    mean: jax.Array  # [..., A]
    scale: jax.Array  # [..., A] or [..., A, A]

    @property
    def is_full(self) -> bool:
        """Whether the covariance is full rather than diagonal."""
        return self.scale.ndim > self.mean.ndim

    def sample(self, noise: jax.Array) -> jax.Array:
        """Turn standard normal noise `[..., A]` (it may have leading axes of its own) into actions `[..., A]`."""
        if self.is_full:
            return self.mean + jnp.einsum("...ij,...j->...i", self.scale, noise)
        return self.mean + self.scale * noise

    def expand(self, axis: int) -> "Gaussian":
        """Insert a sample axis before the action axis, `axis` counted from the batch axes."""
        return Gaussian(jnp.expand_dims(self.mean, axis), jnp.expand_dims(self.scale, axis))

    def log_prob(self, action: jax.Array) -> jax.Array:
        """Log density `[...]` of actions `[..., A]`."""
        size = action.shape[-1]
        distance = jnp.sum(_whiten(self, action - self.mean) ** 2, -1)
        return -0.5 * (distance + size * jnp.log(2 * jnp.pi) + _log_determinant(self))


def entropy(gaussian: Gaussian) -> jax.Array:
    """Differential entropy `[...]`, in nats."""
    return 0.5 * (gaussian.mean.shape[-1] * (1 + jnp.log(2 * jnp.pi)) + _log_determinant(gaussian))


def stratified_noise(key: jax.Array, states: int, samples: int, size: int) -> jax.Array:
    """Standard normal noise `[states, samples, size]`, a Latin hypercube for each state.

    Each value is standard normal and states are independent, but the samples of a state fall one into each of its
    equally likely intervals along every axis (McKay, Beckman and Conover, Technometrics 1979). What is smooth in the
    action is averaged more exactly: 8 samples serve the E-step as 16 independent ones (`benchmarks/sampling_error.py`).
    """
    # Numbers for both in one draw: the rank of a whole word orders the intervals, its lower half is the place within.
    words = jax.random.bits(key, (states, samples, size))
    # Comparing all pairs is quicker than to sort a few.
    interval = (words[:, :, None] > words[:, None]).sum(2)
    within = ((words & _LOWER_HALF).astype(jnp.float32) + 0.5) / (_LOWER_HALF + 1)
    quantile = jnp.clip((interval + within) / samples, _SMALLEST_QUANTILE, 1 - _SMALLEST_QUANTILE)
    # Quicker than `ndtri`, and as exact but for the outermost hundred thousandths, where 2 q - 1 is rounded.
    return math.sqrt(2.0) * erfinv(2 * quantile - 1)


def kl_mean(old: Gaussian, new: Gaussian) -> jax.Array:
    """Share of the KL from moving the mean, `[...]`: 1/2 (mu - mu_old)' S_old^-1 (mu - mu_old) (the paper's C_mu)."""
    return 0.5 * jnp.sum(_whiten(old, new.mean - old.mean) ** 2, -1)


def kl_covariance(old: Gaussian, new: Gaussian) -> jax.Array:
    """Share from changing the covariance, `[...]`: 1/2 (log|S|/|S_old| - A + tr(S^-1 S_old)) (the paper's C_S)."""
    if new.is_full:
        ratio = solve_triangular(new.scale, old.scale, lower=True)
        trace = jnp.sum(ratio**2, (-2, -1))
    else:
        trace = jnp.sum((old.scale / new.scale) ** 2, -1)
    return 0.5 * (_log_determinant(new) - _log_determinant(old) - old.mean.shape[-1] + trace)


def _whiten(gaussian: Gaussian, difference: jax.Array) -> jax.Array:
    """scale^-1 difference, `[..., A]`."""
    if not gaussian.is_full:
        return difference / gaussian.scale
    size = difference.shape[-1]
    shape = jnp.broadcast_shapes(gaussian.scale.shape[:-2], difference.shape[:-1])
    scale = jnp.broadcast_to(gaussian.scale, (*shape, size, size))
    return solve_triangular(scale, jnp.broadcast_to(difference, (*shape, size))[..., None], lower=True)[..., 0]


def _log_determinant(gaussian: Gaussian) -> jax.Array:
    """log|S|, `[...]`."""
    diagonal = jnp.diagonal(gaussian.scale, axis1=-2, axis2=-1) if gaussian.is_full else gaussian.scale
    return 2 * jnp.sum(jnp.log(diagonal), -1)
