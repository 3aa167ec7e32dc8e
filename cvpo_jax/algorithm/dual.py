"""The dual of the E-step, in coordinates in which every problem looks alike.

Notation: B states, K sampled actions a state, C constraints.

The paper's dual (Liu et al. 2022, section 4.1) is, over the temperature eta > 0 and the multipliers lam >= 0,

    g = eta kl_bound + lam . thresholds + mean_b[ eta log mean_k exp((Qr - lam . Qc) / eta) ].

Raw Q values make it badly conditioned: eta grows with the spread of Qr and with 1 / sqrt(kl_bound), lam with the ratio
of the spreads of Qr and Qc. `normalize` divides all of that out, so that a problem whose constraints are slack has its
minimum near x = (1, 0) with curvature near 1. It measures Qr from the best and Qc from the least sample of each state,
which keeps float32 exact where it matters: for values with large offsets and for multipliers that grow without bound.
"""

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array

# The least eta in the units of Qr; `normalize` lowers it where Qr varies on a scale as small as this.
ETA_MIN = 1e-6
# A bound on the KL below this is treated as this when it sets the scale: it has a square root that we divide by.
KL_FLOOR = 1e-6


@struct.dataclass
class NormalizedDual:
    """A dual problem over x = (eta, lam_1, …, lam_C) / units, with its box.

    regret: [B, K] how far Qr lies below the best sample of its state, in standard deviations.
    costs: [C, B, K] how far Qc lies above the least sample of its state, in standard deviations.
    thresholds: [C] bound on the mean expected `costs`.
    kl_bound: [] bound on the batch mean of KL(q || uniform).
    spread: [] sqrt(2 kl_bound), the tilt in standard deviations that exhausts the bound on Gaussian values.
    lower, upper: [1 + C] the box.
    units: [1 + C] raw size of one unit of x.
    cost_scales: [C] raw size of one unit of `costs`.
    value_scale, value_shift: [] raw dual = value_scale * value + value_shift.
    """

    regret: Array
    costs: Array
    thresholds: Array
    kl_bound: Array
    spread: Array
    lower: Array
    upper: Array
    units: Array
    cost_scales: Array
    value_scale: Array
    value_shift: Array


@struct.dataclass
class DualPoint:
    """The dual at one x, in normalized units.

    value [], gradient [1 + C], hessian [1 + C, 1 + C]: of the dual.
    rounding: [] differences in value below this are noise.
    kl: [] batch mean of KL(q || uniform).
    excess: [C] mean expected costs minus thresholds.
    """

    value: Array
    gradient: Array
    hessian: Array
    rounding: Array
    kl: Array
    excess: Array


def within_state_scale(gaps: Array) -> Array:
    """Root mean square deviation [] of `gaps` [B, K] from the mean of their state; 1 where all samples agree."""
    scale = jnp.sqrt(jnp.mean(jnp.var(gaps, axis=-1)))
    return jnp.where(scale > 0, scale, 1.0)


def normalize(q_reward: Array, q_costs: Array, thresholds: Array, kl_bound: Array, lam_max: Array) -> NormalizedDual:
    """Center and scale the problem of q_reward [B, K], q_costs [C, B, K], thresholds [C], kl_bound [], lam_max [C]."""
    best = jnp.max(q_reward, axis=-1, keepdims=True)
    regret = best - q_reward
    # Measured from the threshold first: subtracting nearby numbers is exact, averaging large ones is not.
    excess = q_costs - thresholds[:, None, None]
    least = jnp.min(excess, axis=-1, keepdims=True)
    gaps = excess - least
    reward_scale = within_state_scale(regret)
    cost_scales = jax.vmap(within_state_scale)(gaps)
    spread = jnp.sqrt(2.0 * jnp.maximum(kl_bound, KL_FLOOR))
    units = jnp.concatenate([(reward_scale / spread)[None], reward_scale / cost_scales])
    eta_min = jnp.minimum(ETA_MIN, 1e-3 * units[0])
    # By Hoeffding's lemma KL(q || uniform) <= (range / eta)^2 / 8: the KL bound holds at this eta whatever lam is.
    reach = jnp.max(regret) + jnp.sum(lam_max * jnp.max(gaps, axis=(1, 2)))
    eta_max = jnp.maximum(reach / (2.0 * spread), units[0])
    return NormalizedDual(
        regret=regret / reward_scale,
        costs=gaps / cost_scales[:, None, None],
        thresholds=-jnp.mean(least, axis=(1, 2)) / cost_scales,
        kl_bound=kl_bound,
        spread=spread,
        lower=jnp.concatenate([eta_min[None], jnp.zeros_like(lam_max)]) / units,
        upper=jnp.concatenate([eta_max[None], lam_max]) / units,
        units=units,
        cost_scales=cost_scales,
        value_scale=reward_scale * spread,
        value_shift=jnp.mean(best - best[0]) + best[0, 0],
    )


def log_weights(problem: NormalizedDual, x: Array) -> Array:
    """Unnormalized logarithms [B, K] of the weights q at x [1 + C]: (Qr - lam . Qc) / eta up to a shift a state."""
    inverse = problem.spread / x[0]
    return -inverse * (problem.regret + jnp.tensordot(x[1:], problem.costs, axes=1, precision="highest"))


def state_moments(scores: Array, costs: Array) -> tuple[Array, Array, Array]:
    """One state's share of the dual, its gradient and its Hessian, from its scores [K] and costs [C, K].

    Returns log mean exp of the scores [], and under q = softmax(scores) the mean [1 + C] and covariance
    [1 + C, 1 + C] of (scores, costs).
    """
    top = jnp.max(scores)
    exps = jnp.exp(scores - top)
    total = jnp.sum(exps)
    q = exps / total
    features = jnp.concatenate([scores[None], costs])
    mean = jnp.sum(q * features, axis=-1)
    deviations = features - mean[:, None]
    covariance = jnp.sum(q * deviations[:, None] * deviations[None], axis=-1)
    return top + jnp.log(total / scores.size), mean, covariance


def evaluate(problem: NormalizedDual, x: Array) -> DualPoint:
    """Value, gradient and Hessian of the dual at x [1 + C], taken inside the box."""
    x = jnp.clip(x, problem.lower, problem.upper)
    per_state = jax.vmap(state_moments, in_axes=(0, 1))(log_weights(problem, x), problem.costs)
    log_mean_exp, mean, covariance = jax.tree.map(lambda moment: jnp.mean(moment, axis=0), per_state)
    spread = problem.spread
    eta = x[0] / spread
    kl = mean[0] - log_mean_exp
    excess = mean[1:] - problem.thresholds
    terms = jnp.concatenate([jnp.stack([eta * problem.kl_bound, eta * log_mean_exp]), x[1:] * problem.thresholds])
    scales = jnp.ones_like(x).at[0].set(spread)
    return DualPoint(
        value=jnp.sum(terms) / spread,
        gradient=jnp.concatenate([(problem.kl_bound - kl)[None] / spread, -excess]) / spread,
        hessian=covariance / jnp.outer(scales, scales) / x[0],
        rounding=4.0 * jnp.finfo(x.dtype).eps * jnp.sum(jnp.abs(terms)) / spread,
        kl=kl,
        excess=excess,
    )


def projected_gradient(problem: NormalizedDual, x: Array, gradient: Array) -> Array:
    """The gradient [1 + C] with zeros where it pushes x [1 + C] against its box; all zero at the minimum."""
    pinned = ((x <= problem.lower) & (gradient > 0)) | ((x >= problem.upper) & (gradient < 0))
    return jnp.where(pinned, 0.0, gradient)
