"""From the limit on an episode's cost to the paper's threshold on the discounted cost critic, and back.

The paper's formula is for episodes of T steps. Where episodes end by themselves, at a measured rate d a step, the
discount becomes gamma (1 - d), what the critic still sums up, and costs are spread over the measured mean length.

Notation: C constraints, T time limit of an episode.
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from cvpo_jax.algorithm.step_rates import StepRates


def threshold_from_limit(
    limit: ArrayLike, gamma: ArrayLike, time_limit: int, rates: StepRates | None = None
) -> jax.Array:
    """The threshold eps1 `[C]` on the discounted cost: L/T (1 - gamma^T) / (1 - gamma) without terminations."""
    length, gamma = _effective(gamma, time_limit, rates)
    return jnp.asarray(limit) / length * (1 - gamma**time_limit) / (1 - gamma)


def episodic_cost(
    discounted: jax.Array, gamma: ArrayLike, time_limit: int, rates: StepRates | None = None
) -> jax.Array:
    """The inverse of `threshold_from_limit`: the episode's cost that a discounted cost `[C]` predicts."""
    length, gamma = _effective(gamma, time_limit, rates)
    return discounted * length * (1 - gamma) / (1 - gamma**time_limit)


def _effective(gamma: ArrayLike, time_limit: int, rates: StepRates | None) -> tuple[ArrayLike, jax.Array]:
    """Mean length of an episode and the discount that terminations leave."""
    if rates is None:
        return time_limit, jnp.asarray(gamma)
    return rates.mean_length(time_limit), jnp.asarray(gamma) * (1 - rates.terminations)
