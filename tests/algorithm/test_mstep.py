"""The M-step on a problem with a known answer: the parameters are the Gaussian, the weights have fixed moments."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from cvpo_jax.algorithm import gaussian, mstep
from cvpo_jax.algorithm.gaussian import Gaussian
from cvpo_jax.algorithm.state import KLMultipliers

LOOSE = KLMultipliers(jnp.float32(1e3), jnp.float32(1e3))
TIGHT = KLMultipliers(jnp.float32(0.01), jnp.float32(0.002))


def apply(params: dict[str, jax.Array], observation: jax.Array) -> Gaussian:
    """A policy that is the same Gaussian in every state."""
    states = observation.shape[0]
    diagonal = jnp.exp(params["log_diagonal"])
    scale = diagonal if params["lower"].size == 0 else jnp.diag(diagonal) + jnp.tril(params["lower"], -1)
    return Gaussian(jnp.tile(params["mean"], (states, 1)), jnp.broadcast_to(scale, (states, *scale.shape)))


def solve(full: bool, bounds: KLMultipliers, iterations: int = 4000):
    """Fit from N(0, I) to random weights; returns the problem, the fitted Gaussian and the metrics."""
    lower = jnp.zeros((2, 2)) if full else jnp.zeros(0)
    params = {"mean": jnp.zeros(2), "log_diagonal": jnp.zeros(2), "lower": lower}
    observation = jnp.zeros((5, 1))
    old = apply(params, observation)
    action = old.expand(1).sample(jax.random.normal(jax.random.PRNGKey(0), (5, 64, 2)))
    weights = jax.nn.softmax(action @ jnp.array([1.0, -0.5]) - 0.3 * action[..., 0] * action[..., 1], -1)
    problem = mstep.Problem(observation, action, weights, old, bounds)
    optimizer = optax.adam(optax.exponential_decay(3e-2, 1000, 0.3))
    fit = jax.jit(mstep.fit, static_argnums=(0, 2), static_argnames="iterations")
    multipliers = KLMultipliers(jnp.zeros(()), jnp.zeros(()))
    params, _, multipliers, metrics = fit(
        apply,
        params,
        optimizer,
        optimizer.init(params),
        multipliers,
        problem,
        iterations=iterations,
        multiplier_rate=jnp.float32(0.02),
    )
    return problem, jax.tree.map(lambda x: x[0], apply(params, observation)), multipliers, metrics


def weighted_moments(problem: mstep.Problem) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean of the samples, and their weighted second moment about the OLD mean (the decoupled optimum)."""
    weights = np.asarray(problem.weights, np.float64) / len(problem.weights)
    action = np.asarray(problem.action, np.float64)
    mean = np.einsum("bk,bka->a", weights, action)
    return mean, np.einsum("bk,bka,bkc->ac", weights, action, action)


@pytest.mark.parametrize("full", [False, True])
def test_without_binding_bounds_it_is_the_weighted_maximum_likelihood_gaussian(full: bool) -> None:
    problem, fitted, _, _ = solve(full, LOOSE)
    mean, second = weighted_moments(problem)
    np.testing.assert_allclose(fitted.mean, mean, atol=1e-3)
    got = fitted.scale @ fitted.scale.T if full else jnp.diag(fitted.scale**2)
    expected = second if full else np.diag(np.diag(second))
    np.testing.assert_allclose(got, expected, atol=5e-3)


@pytest.mark.parametrize("full", [False, True])
def test_both_bounds_hold_and_bind(full: bool) -> None:
    problem, fitted, multipliers, metrics = solve(full, TIGHT)
    old = Gaussian(problem.old.mean[0], problem.old.scale[0])
    assert 0.97 <= gaussian.kl_mean(old, fitted) / TIGHT.mean <= 1.02
    assert 0.97 <= gaussian.kl_covariance(old, fitted) / TIGHT.covariance <= 1.02
    assert metrics["mstep/kl_mean_ratio"] == pytest.approx(1.0, abs=0.03)
    # With the covariance of the old policy at I the best mean inside the bound lies towards the weighted mean, on the
    # bound's sphere, and its multiplier is |weighted mean| / |mean| - 1.
    mean, _ = weighted_moments(problem)
    radius = np.sqrt(2 * TIGHT.mean)
    np.testing.assert_allclose(fitted.mean, mean / np.linalg.norm(mean) * radius, atol=2e-3)
    assert multipliers.mean == pytest.approx(np.linalg.norm(mean) / radius - 1, rel=0.05)


def test_multipliers_are_projected_at_every_step() -> None:
    multipliers = KLMultipliers(jnp.float32(0.01), jnp.float32(mstep.MAX_MULTIPLIER))
    kl = KLMultipliers(jnp.float32(0.0), jnp.float32(1e9))
    moved = mstep.step_multipliers(multipliers, kl, TIGHT, jnp.float32(1.0))
    assert moved.mean == 0
    assert moved.covariance == mstep.MAX_MULTIPLIER


def test_the_likelihood_is_summed_over_samples() -> None:
    """Doubling K by repeating each sample at half its weight changes nothing; a mean over K would halve the loss."""
    problem, _, _, _ = solve(False, LOOSE, iterations=1)
    policy = Gaussian(problem.old.mean + 0.1, problem.old.scale)
    doubled = problem.replace(
        action=jnp.concatenate([problem.action] * 2, 1), weights=jnp.concatenate([problem.weights / 2] * 2, 1)
    )
    loss, _ = mstep.lagrangian(policy, problem, LOOSE)
    again, _ = mstep.lagrangian(policy, doubled, LOOSE)
    assert again == pytest.approx(float(loss), rel=1e-5)
