"""`attainable_cost_decrease` against the reference problems and known limits."""

from pathlib import Path

import jax
import numpy as np
import pytest

from cvpo_jax.algorithm.feasibility import attainable_cost_decrease

decrease = jax.jit(attainable_cost_decrease)


def test_matches_the_reference(data_dir: Path) -> None:
    with np.load(data_dir / "estep_golden.npz") as file:
        costs = {i: file[f"p{i:03d}_qc"] for i in range(len(file["eps2"]))}
        chosen = [i for i, cost in costs.items() if 256 % len(cost) == 0]
        tiled = np.stack([np.tile(costs[i], (256 // len(costs[i]), 64 // costs[i].shape[1])) for i in chosen])
        least, bounds = file["min_cost"][chosen], file["eps2"][chosen].astype(np.float32)
    found = jax.jit(jax.vmap(attainable_cost_decrease))(tiled[:, None], bounds)[:, 0]
    expected = tiled.astype(np.float64).mean((1, 2)) - least
    assert len(chosen) > 40
    assert np.all(np.abs(found - expected) <= 1e-4 * tiled.std((1, 2)))


def test_small_bound_on_gaussian_costs_is_the_linear_law() -> None:
    costs = np.random.default_rng(0).normal(size=(2, 256, 64)).astype(np.float32) * np.array([[[1.0]], [[50.0]]], "f4")
    expected = np.sqrt(2 * 1e-3 * costs.var(-1).mean(-1))
    np.testing.assert_allclose(decrease(costs, 1e-3), expected, rtol=0.02)


@pytest.mark.parametrize("value", [0.0, 3.3, -1e4])
def test_constant_cost_cannot_fall(value: float) -> None:
    np.testing.assert_array_equal(decrease(np.full((2, 8, 16), value, np.float32), 0.1), 0.0)


def test_one_sample_cannot_fall() -> None:
    np.testing.assert_array_equal(decrease(np.arange(8, dtype=np.float32).reshape(1, 8, 1), 0.1), 0.0)


def test_ample_bound_reaches_the_least_sample() -> None:
    costs = np.random.default_rng(1).random((1, 8, 16)).astype(np.float32)
    costs[0, :, :4] = 0.0  # ties keep the KL at log 4 and its slope at zero
    np.testing.assert_allclose(decrease(costs, 2.0)[0], costs.mean(), rtol=1e-5)


def test_zero_bound_allows_nothing() -> None:
    costs = np.random.default_rng(2).random((1, 8, 16)).astype(np.float32)
    np.testing.assert_allclose(decrease(costs, 0.0), 0.0, atol=1e-4)
