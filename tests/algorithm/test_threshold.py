"""Limits and thresholds against the published numbers."""

import jax.numpy as jnp
import pytest

from cvpo_jax.algorithm.threshold import episodic_cost, threshold_from_limit


@pytest.mark.parametrize(
    ("limit", "gamma", "length", "threshold"),
    [(25.0, 0.99, 1000, 2.500), (25.0, 0.995, 1000, 4.967), (10.0, 0.99, 400, 2.455)],
)
def test_the_papers_threshold(limit: float, gamma: float, length: int, threshold: float) -> None:
    assert threshold_from_limit(limit, gamma, length) == pytest.approx(threshold, abs=5e-4)
    back = episodic_cost(jnp.float32(threshold), jnp.float32(gamma), length)
    assert back == pytest.approx(limit, rel=1e-3)
