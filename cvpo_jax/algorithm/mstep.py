"""The M-step: fit the policy to the weighted samples under bounds on the KL from the old policy.

    maximize  mean_b sum_k q[b,k] (log N(a; mu, S_old) + log N(a; mu_old, S))
    s.t.      C_mu <= eps_mu,  C_S <= eps_S                       (Liu et al. 2022, eq. 13; Abdolmaleki et al. 2018)

by gradient steps on the Lagrangian, the multipliers following the dual gradient and projected at each step.
Notation: B states, K sampled actions a state, A action dimensions.
"""

from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
import optax
from flax import struct

from cvpo_jax.algorithm import gaussian
from cvpo_jax.algorithm.gaussian import Gaussian
from cvpo_jax.algorithm.state import KLMultipliers, Metrics, Params

MAX_MULTIPLIER = 100.0
MAX_STEP_RATIO = 2.0


class Problem(struct.PyTreeNode):
    """What the policy is fitted to."""

    observation: jax.Array  # [B, O]
    action: jax.Array  # [B, K, A], as sampled, before clipping to the box
    weights: jax.Array  # [B, K], summing to one over K
    old: Gaussian  # [B, A]
    bounds: KLMultipliers  # eps_mu, eps_S


def lagrangian(policy: Gaussian, problem: Problem, multipliers: KLMultipliers) -> tuple[jax.Array, KLMultipliers]:
    """The loss `[]` and the two mean KLs of a policy `[B, A]`."""
    chex.assert_equal_shape([problem.weights, problem.action[..., 0]])
    moved = Gaussian(policy.mean, problem.old.scale).expand(1)
    reshaped = Gaussian(problem.old.mean, policy.scale).expand(1)
    log_prob = moved.log_prob(problem.action) + reshaped.log_prob(problem.action)
    likelihood = jnp.mean(jnp.sum(problem.weights * log_prob, -1))
    kl = KLMultipliers(
        mean=jnp.mean(gaussian.kl_mean(problem.old, policy)),
        covariance=jnp.mean(gaussian.kl_covariance(problem.old, policy)),
    )
    penalty = jax.tree.map(lambda alpha, kl, bound: alpha * (kl - bound), multipliers, kl, problem.bounds)
    return -likelihood + penalty.mean + penalty.covariance, kl


def step_multipliers(
    multipliers: KLMultipliers, kl: KLMultipliers, bounds: KLMultipliers, rate: jax.Array
) -> KLMultipliers:
    """One projected dual ascent step on the KLs relative to their bounds."""

    def ascend(alpha: jax.Array, kl: jax.Array, bound: jax.Array) -> jax.Array:
        excess = jnp.minimum(kl / bound - 1, MAX_STEP_RATIO)
        return jnp.clip(alpha + rate * excess, 0.0, MAX_MULTIPLIER)

    return jax.tree.map(ascend, multipliers, kl, bounds)


def fit(
    apply: Callable[[Params, jax.Array], Gaussian],
    params: Params,
    optimizer: optax.GradientTransformation,
    optimizer_state: Any,
    multipliers: KLMultipliers,
    problem: Problem,
    *,
    iterations: int,
    multiplier_rate: jax.Array,
    pmean: Callable[[Any], Any] = lambda tree: tree,
) -> tuple[Params, Any, KLMultipliers, Metrics]:
    """Take `iterations` gradient steps; `pmean` averages over devices."""

    def loss(params: Params, multipliers: KLMultipliers) -> tuple[jax.Array, KLMultipliers]:
        return lagrangian(apply(params, problem.observation), problem, multipliers)

    def iterate(carry: tuple, _: None) -> tuple[tuple, tuple]:
        params, optimizer_state, multipliers = carry
        (value, kl), gradients = jax.value_and_grad(loss, has_aux=True)(params, multipliers)
        value, kl, gradients = pmean((value, kl, gradients))
        updates, optimizer_state = optimizer.update(gradients, optimizer_state, params)
        params = optax.apply_updates(params, updates)
        multipliers = step_multipliers(multipliers, kl, problem.bounds, multiplier_rate)
        return (params, optimizer_state, multipliers), (value, kl)

    carry, (values, kls) = jax.lax.scan(iterate, (params, optimizer_state, multipliers), None, length=iterations)
    params, optimizer_state, multipliers = carry
    metrics = {
        "mstep/loss": values[-1],
        "mstep/kl_mean_ratio": kls.mean[-1] / problem.bounds.mean,
        "mstep/kl_covariance_ratio": kls.covariance[-1] / problem.bounds.covariance,
        "mstep/multiplier_mean": multipliers.mean,
        "mstep/multiplier_covariance": multipliers.covariance,
    }
    return params, optimizer_state, multipliers, metrics
