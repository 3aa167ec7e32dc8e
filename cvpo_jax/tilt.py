"""How far the cost can fall within the KL bound: the least-cost tilt of each constraint.

Letters: B states, K sampled actions a state, C constraints.

Among all q with mean_b KL(q_b || uniform) <= kl_bound, the expected cost is least for q[b] = softmax_k(-rate Qc[b, k])
at the rate that exhausts the bound. The bound holds for the batch mean, so one rate serves all states.
"""

import jax
import jax.numpy as jnp
from jax import Array

# Steps on log(rate). In the Gaussian limit KL grows as rate^2 and Newton's method on log KL needs one; the rest serve
# skewed values, and bisect where the KL levels off below its bound.
STEPS = 10
# Largest rate over the Gaussian one. Where the KL stays below its bound even there, q has settled on the least samples.
RATE_RANGE = 1e4


def attainable_cost_decrease(q_costs: Array, kl_bound: Array | float) -> Array:
    """The decrease [C] of each batch-mean expected cost, each taken alone, that the KL bound allows.

    Args:
        q_costs: [C, B, K] cost values of K actions of the old policy in each of B states.
        kl_bound: [] bound on the batch mean of KL(q || old policy), in nats.

    Returns:
        mean Qc minus the least attainable E_q[Qc], in the units of Qc; zero where all samples of a state cost the same.
        A threshold is feasible, the other constraints apart, if it lies no further than this below mean Qc.
    """
    return jax.vmap(_largest_decrease, in_axes=(0, None))(jax.lax.stop_gradient(q_costs), kl_bound)


def _largest_decrease(q_cost: Array, kl_bound: Array | float) -> Array:
    """The attainable decrease [] of one constraint with values [B, K]."""
    gaps = q_cost - jnp.min(q_cost, axis=-1, keepdims=True)
    scale = jnp.sqrt(jnp.mean(jnp.var(gaps, axis=-1)))
    gaussian = jnp.log(jnp.sqrt(2.0 * kl_bound) / jnp.where(scale > 0, scale, 1.0))

    def step(_: int, bracket: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        low, high, log_rate = bracket
        kl, slope, _ = _tilt(gaps, jnp.exp(log_rate))
        low, high = jnp.where(kl <= kl_bound, log_rate, low), jnp.where(kl > kl_bound, log_rate, high)
        newton = log_rate + jnp.log(kl_bound / kl) * kl / slope
        inside = (newton >= low) & (newton <= high)
        return low, high, jnp.where(inside, newton, 0.5 * (low + high))

    low, high = gaussian - jnp.log(RATE_RANGE), gaussian + jnp.log(RATE_RANGE)
    *_, log_rate = jax.lax.fori_loop(0, STEPS, step, (low, high, gaussian))
    return jnp.mean(gaps) - _tilt(gaps, jnp.exp(log_rate))[2]


def _tilt(gaps: Array, rate: Array) -> tuple[Array, Array, Array]:
    """Batch means at one rate []: the KL, its derivative by log(rate), and the expected gap, for gaps [B, K]."""
    kl, variance, mean = jax.vmap(_tilt_state, in_axes=(0, None))(gaps, rate)
    return jnp.mean(kl), rate**2 * jnp.mean(variance), jnp.mean(mean)


def _tilt_state(gaps: Array, rate: Array) -> tuple[Array, Array, Array]:
    """KL(q || uniform), variance and mean of one state's gaps [K] under q = softmax(-rate gaps)."""
    exps = jnp.exp(-rate * gaps)
    total = jnp.sum(exps)
    q = exps / total
    mean = jnp.sum(q * gaps)
    variance = jnp.sum(q * (gaps - mean) ** 2)
    # The least gap is zero, so that the largest exponent is too.
    return -rate * mean - jnp.log(total / gaps.size), variance, mean
