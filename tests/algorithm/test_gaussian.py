"""Gaussians against SciPy and against the closed form of the KL divergence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from cvpo_jax.algorithm.gaussian import Gaussian, kl_covariance, kl_mean, stratified_noise


def random_gaussian(seed: int, size: int, full: bool) -> Gaussian:
    mean, noise = jax.random.normal(jax.random.PRNGKey(seed), (2, size))
    if not full:
        return Gaussian(mean, jnp.exp(0.3 * noise))
    lower = 0.3 * jnp.tril(jax.random.normal(jax.random.PRNGKey(seed + 1), (size, size)), -1)
    return Gaussian(mean, lower + jnp.diag(jnp.exp(0.3 * noise)))


def covariance(gaussian: Gaussian) -> np.ndarray:
    scale = np.asarray(gaussian.scale, np.float64)
    return scale @ scale.T if gaussian.is_full else np.diag(scale**2)


@pytest.mark.parametrize("full", [False, True])
def test_log_prob_is_scipys(full: bool) -> None:
    gaussian = random_gaussian(0, 3, full)
    action = jax.random.normal(jax.random.PRNGKey(5), (7, 3))
    expected = stats.multivariate_normal(np.asarray(gaussian.mean), covariance(gaussian)).logpdf(action)
    np.testing.assert_allclose(gaussian.expand(0).log_prob(action), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("full", [False, True])
def test_samples_have_the_mean_and_covariance(full: bool) -> None:
    gaussian = random_gaussian(2, 2, full)
    samples = gaussian.expand(0).sample(jax.random.normal(jax.random.PRNGKey(0), (200_000, 2)))
    np.testing.assert_allclose(samples.mean(0), gaussian.mean, atol=0.01)
    np.testing.assert_allclose(np.cov(samples.T), covariance(gaussian), atol=0.02)


@pytest.mark.parametrize("full", [False, True])
def test_the_parts_of_the_kl_are_those_of_the_closed_form(full: bool) -> None:
    old, new = random_gaussian(3, 3, full), random_gaussian(7, 3, full)
    s_old, s_new = covariance(old), covariance(new)
    difference = np.asarray(new.mean - old.mean, np.float64)
    mean_part = 0.5 * difference @ np.linalg.solve(s_old, difference)
    log_ratio = np.linalg.slogdet(s_new)[1] - np.linalg.slogdet(s_old)[1]
    covariance_part = 0.5 * (log_ratio - 3 + np.trace(np.linalg.solve(s_new, s_old)))
    np.testing.assert_allclose(kl_mean(old, new), mean_part, rtol=1e-4)
    np.testing.assert_allclose(kl_covariance(old, new), covariance_part, rtol=1e-4)


def test_a_full_gaussian_with_diagonal_factor_is_the_diagonal_one() -> None:
    diagonal = random_gaussian(1, 4, False)
    full = Gaussian(diagonal.mean, jnp.diag(diagonal.scale))
    action = jnp.arange(4.0)
    np.testing.assert_allclose(full.log_prob(action), diagonal.log_prob(action), rtol=1e-6)
    np.testing.assert_allclose(full.sample(action), diagonal.sample(action), rtol=1e-6)


def test_stratified_noise_is_standard_normal_and_its_states_and_axes_are_independent() -> None:
    noise = stratified_noise(jax.random.PRNGKey(3), 4_000, 8, 2)
    # One value of each state and axis: independent draws, so that Kolmogorov and Smirnov's test applies.
    first = np.asarray(noise[:, 0], np.float64)
    assert stats.kstest(first.ravel(), "norm").pvalue > 1e-3
    assert abs(np.corrcoef(first.T)[0, 1]) < 4 / np.sqrt(len(first))
    assert abs(np.corrcoef(first[:-1, 0], first[1:, 0])[0, 1]) < 4 / np.sqrt(len(first))


def test_stratified_noise_has_one_value_in_each_interval_of_equal_probability() -> None:
    noise = stratified_noise(jax.random.PRNGKey(4), 50, 8, 3)
    interval = np.sort(np.floor(8 * stats.norm.cdf(np.asarray(noise, np.float64))), axis=1)
    np.testing.assert_array_equal(interval, np.broadcast_to(np.arange(8.0)[:, None], interval.shape))
    assert jnp.isfinite(stratified_noise(jax.random.PRNGKey(5), 50_000, 2, 1)).all()
