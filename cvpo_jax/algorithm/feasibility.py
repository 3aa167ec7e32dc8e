"""How far the cost can fall within the KL bound: the least-cost tilt of each constraint.

Notation: B states, K sampled actions a state, C constraints.

Among all q with mean_b KL(q_b || uniform) <= kl_bound, the expected cost is least for q[b] = softmax_k(-rate Qc[b, k])
at the rate that exhausts the bound. The bound holds for the batch mean, so one rate serves all states.
"""

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array

# Newton's method on the logarithms takes one step on Gaussian values and a few on skewed ones; the rest are for
# bisection where the KL levels off below its bound.
STEPS = 30
TOLERANCE = 1e-4
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


@struct.dataclass
class _Tilt:
    """A rate and the tilt there, all []: batch-mean KL, its derivative by log(rate), and the mean expected gap."""

    log_rate: Array
    kl: Array
    slope: Array
    mean: Array


def _largest_decrease(q_cost: Array, kl_bound: Array | float) -> Array:
    """The attainable decrease [] of one constraint with values [B, K]."""
    gaps = q_cost - jnp.min(q_cost, axis=-1, keepdims=True)
    scale = jnp.sqrt(jnp.mean(jnp.var(gaps, axis=-1)))
    gaussian = jnp.log(jnp.sqrt(2.0 * kl_bound) / jnp.where(scale > 0, scale, 1.0))

    def unfinished(search: tuple[Array, Array, _Tilt, Array]) -> Array:
        *_, tilt, steps = search
        return (steps < STEPS) & (jnp.abs(tilt.kl - kl_bound) > TOLERANCE * kl_bound)

    def step(search: tuple[Array, Array, _Tilt, Array]) -> tuple[Array, Array, _Tilt, Array]:
        low, high, tilt, steps = search
        below = tilt.kl <= kl_bound
        low, high = jnp.where(below, tilt.log_rate, low), jnp.where(below, high, tilt.log_rate)
        newton = tilt.log_rate + jnp.log(kl_bound / tilt.kl) * tilt.kl / tilt.slope
        log_rate = jnp.where((newton > low) & (newton < high), newton, 0.5 * (low + high))
        return low, high, _tilt(gaps, log_rate), steps + 1

    width = jnp.log(RATE_RANGE)
    search = (gaussian - width, gaussian + width, _tilt(gaps, gaussian), jnp.zeros((), jnp.int32))
    *_, tilt, _ = jax.lax.while_loop(unfinished, step, search)
    return jnp.mean(gaps) - tilt.mean


def _tilt(gaps: Array, log_rate: Array) -> _Tilt:
    """The tilt of gaps [B, K] at one rate."""
    rate = jnp.exp(log_rate)
    kl, variance, mean = jax.vmap(_tilt_state, in_axes=(0, None))(gaps, rate)
    return _Tilt(log_rate=log_rate, kl=jnp.mean(kl), slope=rate**2 * jnp.mean(variance), mean=jnp.mean(mean))


def _tilt_state(gaps: Array, rate: Array) -> tuple[Array, Array, Array]:
    """KL(q || uniform), variance and mean of one state's gaps [K] under q = softmax(-rate gaps)."""
    exps = jnp.exp(-rate * gaps)
    total = jnp.sum(exps)
    q = exps / total
    mean = jnp.sum(q * gaps)
    variance = jnp.sum(q * (gaps - mean) ** 2)
    # The least gap is zero, so that the largest exponent is too.
    return -rate * mean - jnp.log(total / gaps.size), variance, mean
