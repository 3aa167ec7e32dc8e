"""From the limit on an episode's cost to the paper's threshold on the discounted cost critic, and back.

Notation: C constraints, T episode length.
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike


def threshold_from_limit(limit: ArrayLike, gamma: ArrayLike, episode_length: int) -> jax.Array:
    """The paper's threshold eps1 `[C]` on the discounted cost: L/T (1 - gamma^T) / (1 - gamma)."""
    limit, gamma = jnp.asarray(limit), jnp.asarray(gamma)
    return limit / episode_length * (1 - gamma**episode_length) / (1 - gamma)


def episodic_cost(discounted: jax.Array, gamma: jax.Array, episode_length: int) -> jax.Array:
    """The inverse of `threshold_from_limit`: the episode's cost that a discounted cost predicts."""
    return discounted * episode_length * (1 - gamma) / (1 - gamma**episode_length)
