"""`solve_dual` where the answer is known otherwise: SciPy's primal, degenerate values, warm starts, transformations."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp

from cvpo_jax.algorithm.estep import Duals, DualSolution, attainable_cost_decrease, solve_dual

KL_BOUND = 0.1


@jax.jit
def solve_from(reward, costs, thresholds, kl_bound, start):
    return solve_dual(reward, costs, thresholds, kl_bound, warm_start=start)


def solve(reward, costs, thresholds, kl_bound=KL_BOUND, start: Duals | None = None) -> DualSolution:
    """Solve with one compilation a shape, whether there is a warm start or not."""
    arrays = (jnp.asarray(array, jnp.float32) for array in (reward, costs, thresholds, kl_bound))
    return solve_from(*arrays, start or Duals.initial(len(costs)))


def values(seed: int, states: int = 8, samples: int = 16, constraints: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    reward = rng.normal(size=(states, samples)) + 3 * rng.normal(size=(states, 1))
    costs = np.abs(rng.normal(size=(constraints, states, samples)))
    return reward.astype(np.float32), costs.astype(np.float32)


def mean_kl(weights: np.ndarray) -> float:
    return float((weights * np.log(np.maximum(weights * weights.shape[-1], 1e-300))).sum(-1).mean())


def scipy_dual(reward: np.ndarray, costs: np.ndarray, thresholds: np.ndarray) -> float:
    """The least value of the raw dual in float64, by SciPy's L-BFGS-B with numerical gradients."""

    def dual(x: np.ndarray) -> float:
        eta, lam = x[0], x[1:]
        scores = (reward - np.tensordot(lam, costs, axes=1)) / eta
        log_mean_exp = logsumexp(scores, axis=-1) - np.log(reward.shape[-1])
        return eta * KL_BOUND + lam @ thresholds + eta * log_mean_exp.mean()

    start = np.ones(1 + len(costs))
    box = [(1e-3, 1e3)] + [(0, 1e3)] * len(costs)
    found = minimize(dual, start, method="L-BFGS-B", jac="3-point", bounds=box, options={"ftol": 1e-14, "gtol": 1e-9})
    return float(found.fun)


@pytest.mark.parametrize("constraints", [1, 2, 3])
def test_weights_attain_the_dual_that_scipy_finds(constraints: int) -> None:
    reward, costs = values(seed=constraints, constraints=constraints)
    thresholds = costs.mean((1, 2)) - 0.1
    solution = solve(reward, costs, thresholds)
    weights = np.asarray(solution.weights, np.float64)
    achieved = (weights * reward).sum(-1).mean()
    assert solution.converged
    assert np.all(solution.lam > 0.01)
    np.testing.assert_allclose(solution.dual, scipy_dual(reward, costs, thresholds), atol=1e-5)
    # A feasible q whose reward equals the dual is the best there is, whoever found it.
    assert mean_kl(weights) <= KL_BOUND * 1.001
    assert np.all((weights * costs).sum(-1).mean(-1) <= thresholds + 1e-4)
    np.testing.assert_allclose(achieved, solution.dual, atol=1e-4)


def test_slack_constraint_among_active_ones_gets_no_multiplier() -> None:
    reward, costs = values(seed=0, constraints=3)
    thresholds = costs.mean((1, 2)) + np.array([-0.05, 1.0, -0.05], np.float32)
    solution = solve(reward, costs, thresholds)
    assert solution.converged
    assert solution.lam[1] == 0
    np.testing.assert_allclose(solution.costs[::2], thresholds[::2], atol=1e-4)


def test_zero_cost_and_zero_limit_leave_the_reward_alone() -> None:
    reward, costs = values(seed=1)
    free = solve(reward, costs, np.full(1, 1e3, np.float32))
    zero = solve(reward, np.zeros_like(costs), np.zeros(1, np.float32))
    assert zero.converged
    np.testing.assert_allclose(zero.weights, free.weights, atol=1e-4)
    np.testing.assert_allclose(zero.kl, KL_BOUND, rtol=1e-3)


def test_zero_limit_with_costs_is_infeasible_and_says_so() -> None:
    reward, costs = values(seed=2)
    solution = solve(reward, costs + 0.1, np.zeros(1, np.float32))
    least = (costs + 0.1).mean() - attainable_cost_decrease(costs, KL_BOUND)[0]
    assert not solution.converged
    np.testing.assert_allclose(solution.costs[0], least, rtol=1e-3)
    np.testing.assert_allclose(solution.kl, KL_BOUND, rtol=1e-2)
    chex.assert_tree_all_finite(solution)


def test_constant_reward_still_meets_the_limit() -> None:
    _, costs = values(seed=3)
    threshold = costs.mean((1, 2)) - 0.1
    solution = solve(np.full(costs.shape[1:], 7.0, np.float32), costs, threshold)
    assert solution.converged
    assert solution.kl <= 1.01 * KL_BOUND
    assert solution.costs[0] <= threshold[0] + 1e-3
    np.testing.assert_allclose(solution.dual, 7.0, atol=1e-5)


def test_all_values_constant_gives_uniform_weights() -> None:
    solution = solve(np.full((8, 16), 7.0, np.float32), np.full((1, 8, 16), 2.0, np.float32), np.full(1, 3.0))
    np.testing.assert_allclose(solution.weights, 1 / 16)
    assert solution.converged


def test_one_sample_leaves_no_choice() -> None:
    reward, costs = values(seed=4, samples=1)
    solution = solve(reward, costs, np.full(1, 10.0))
    np.testing.assert_allclose(solution.weights, 1.0)
    np.testing.assert_allclose(solution.kl, 0.0, atol=1e-6)
    chex.assert_tree_all_finite(solution)


@pytest.mark.parametrize("offset", [1e4, -1e4])
def test_offsets_change_nothing_but_rounding(offset: float) -> None:
    reward, costs = (np.round(table * 512) / 512 for table in values(seed=5))  # exact in float32 with the offset added
    threshold = np.round((costs.mean((1, 2)) - 0.1) * 512) / 512
    plain = solve(reward, costs, threshold)
    shifted = solve(reward + offset, costs + offset, threshold + offset)
    np.testing.assert_allclose(shifted.weights, plain.weights, atol=1e-5)
    np.testing.assert_allclose([shifted.eta, shifted.lam[0]], [plain.eta, plain.lam[0]], rtol=1e-4)


@pytest.mark.parametrize("kl_bound", [0.0, 1e-5, 5.0])
def test_extreme_kl_bounds(kl_bound: float) -> None:
    reward, costs = values(seed=6)
    solution = solve(reward, costs, np.full(1, 10.0), kl_bound)
    weights = np.asarray(solution.weights, np.float64)
    assert mean_kl(weights) <= 1.01 * kl_bound + 1e-6
    if kl_bound > np.log(16):
        np.testing.assert_array_equal(weights.argmax(-1), reward.argmax(-1))
        np.testing.assert_allclose(weights.max(-1), 1.0, atol=1e-4)
    chex.assert_tree_all_finite(solution)


@pytest.mark.parametrize(
    ("eta", "lam"), [(1.0, 0.0), (1e-6, 0.0), (1e4, 1e4), (0.1, 1e5), (1e-6, 10.0), (np.nan, 0.0), (1.0, np.inf)]
)
def test_any_warm_start_ends_at_the_same_minimum(eta: float, lam: float) -> None:
    reward, costs = values(seed=7)
    threshold = costs.mean((1, 2)) - 0.1
    cold = solve(reward, costs, threshold)
    start = Duals(eta=jnp.float32(eta), lam=jnp.full(1, lam, jnp.float32))
    warm = solve(reward, costs, threshold, KL_BOUND, start)
    assert warm.converged
    np.testing.assert_allclose(warm.dual, cold.dual, atol=1e-5)
    np.testing.assert_allclose(warm.weights, cold.weights, atol=1e-3)


def test_solution_is_never_worse_than_its_warm_start() -> None:
    reward, costs = values(seed=8)
    threshold = costs.mean((1, 2)) - 0.1
    first = solve(reward, costs, threshold)
    again = solve(reward, costs, threshold, KL_BOUND, first.duals)
    assert again.dual <= first.dual + 1e-6
    np.testing.assert_allclose(again.weights, first.weights, atol=1e-4)


@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_values_that_are_not_finite_keep_the_last_good_duals(poison: float) -> None:
    reward, costs = values(seed=9)
    reward[0, 0] = poison
    start = Duals(eta=jnp.float32(0.7), lam=jnp.full(1, 0.3, jnp.float32))
    solution = solve(reward, costs, np.full(1, 0.5, np.float32), KL_BOUND, start)
    assert not solution.converged
    np.testing.assert_allclose([solution.eta, solution.lam[0]], [0.7, 0.3])


def test_scan_inside_vmap_inside_pmap_agrees_with_single_calls() -> None:
    devices, seeds, steps = jax.local_device_count(), 2, 2
    problems = [values(seed) for seed in range(devices * seeds * steps)]
    reward, costs = (np.stack(tables) for tables in zip(*problems, strict=True))
    thresholds = costs.mean((2, 3)) - 0.1

    def updates(*problems):
        def update(duals, problem):
            solution = solve_dual(*problem, KL_BOUND, warm_start=duals)
            return solution.duals, solution.weights

        return jax.lax.scan(update, Duals.initial(1), problems)[1]

    nested = (table.reshape(devices, seeds, steps, *table.shape[1:]) for table in (reward, costs, thresholds))
    together = jax.pmap(jax.vmap(updates))(*nested)
    single = np.stack([solve(*problem).weights for problem in zip(reward, costs, thresholds, strict=True)])
    np.testing.assert_allclose(together.reshape(single.shape), single, atol=1e-4)


def test_shapes_that_do_not_fit_are_named() -> None:
    reward, costs = values(seed=0)
    with pytest.raises(ValueError, match=r"q_costs has shape \(8, 16\)"):
        solve_dual(reward, costs[0], np.zeros(1), KL_BOUND)
    with pytest.raises(ValueError, match=r"cost_thresholds \(2,\)"):
        solve_dual(reward, costs, np.zeros(2), KL_BOUND)
