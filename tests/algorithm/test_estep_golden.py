"""`solve_dual` on 48 duals solved in extended precision: cold starts in float32 and in float64.

Every problem is brought to one of two shapes by repeating samples and states, which changes no batch mean and no
log-mean-exp over the samples: two compilations serve all of them, in float32 with all optimizations, since the bounds
are near its rounding.
"""

from pathlib import Path

import chex
import jax
import numpy as np
import pytest

from cvpo_jax.algorithm.dual import ETA_MIN
from cvpo_jax.algorithm.estep import LAM_MAX, DualSolution, solve_dual

SHAPES = ((256, 64), (300, 64))
CAPS = (1, 10, 100, 1000)


class Golden:
    """The reference problems of one common shape, stacked: N problems, B states, K samples."""

    def __init__(self, file: np.lib.npyio.NpzFile, shape: tuple[int, int]):
        count = len(file["eps1"])
        chosen = [i for i in range(count) if shape[0] % len(file[f"p{i:03d}_qr"]) == 0]
        self.reward, self.cost = (
            np.stack([repeat_to(shape, file[f"p{i:03d}_{name}"]) for i in chosen]) for name in ("qr", "qc")
        )
        self.reference = {name: file[name][chosen] for name in file.files if len(file[name]) == count}

    def __getitem__(self, name: str) -> np.ndarray:
        return self.reference[name]

    def solve(self, lam_max: float = LAM_MAX) -> DualSolution:
        limits, bounds = self["eps1"][:, None].astype(np.float64), self["eps2"]
        solution = solve_all(self.reward, self.cost[:, None], limits, bounds, np.full(len(bounds), float(lam_max)))
        return jax.tree.map(np.asarray, solution)

    def dual(self, eta: np.ndarray, lam: np.ndarray) -> np.ndarray:
        """Value [N] of the raw dual at eta [N] and lam [N], in float64."""
        eta, lam = eta.astype(np.float64), lam.astype(np.float64)
        top, exps = self.exponentials(eta, lam)
        log_mean_exp = (top + np.log(exps.mean(-1))).mean(-1)
        return eta * self["eps2"] + lam * self["eps1"] + eta * log_mean_exp

    def weights(self, eta: np.ndarray, lam: np.ndarray) -> np.ndarray:
        exps = self.exponentials(eta, lam)[1]
        return exps / exps.sum(-1, keepdims=True)

    def exponentials(self, eta: np.ndarray, lam: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scores = (self.reward - lam[:, None, None] * self.cost.astype(np.float64)) / eta[:, None, None]
        top = scores.max(-1)
        return top, np.exp(scores - top[..., None])

    def kl(self, weights: np.ndarray) -> np.ndarray:
        scaled = weights.astype(np.float64) * weights.shape[-1]
        return (scaled * np.log(np.maximum(scaled, 1e-300))).mean((-1, -2))

    def expected_cost(self, weights: np.ndarray) -> np.ndarray:
        return (weights.astype(np.float64) * self.cost).sum(-1).mean(-1)


def repeat_to(shape: tuple[int, int], values: np.ndarray) -> np.ndarray:
    return np.tile(values, (shape[0] // values.shape[0], shape[1] // values.shape[1]))


@jax.jit
@chex.assert_max_traces(n=2 * len(SHAPES))
def solve_all(reward, cost, limits, bounds, lam_max):
    def solve(reward, cost, limits, bounds, lam_max):
        return solve_dual(reward, cost, limits, bounds, lam_max=lam_max)

    return jax.vmap(solve)(reward, cost, limits, bounds, lam_max)


# A shape's tests run in one worker, which compiles the solver for it once.
GROUPS = [pytest.param(shape, marks=pytest.mark.xdist_group(f"golden {shape}"), id=str(shape)) for shape in SHAPES]


@pytest.fixture(scope="module", params=GROUPS)
def golden(request: pytest.FixtureRequest, data_dir: Path) -> Golden:
    with np.load(data_dir / "estep_golden.npz") as file:
        return Golden(file, request.param)


@pytest.fixture(scope="module")
def solution(golden: Golden) -> DualSolution:
    return golden.solve()


def test_all_48_problems_have_a_shape(data_dir: Path) -> None:
    with np.load(data_dir / "estep_golden.npz") as file:
        assert sum(len(Golden(file, shape).reward) for shape in SHAPES) == 48


@pytest.mark.optimized
def test_feasible_problems_in_float32(golden: Golden, solution: DualSolution) -> None:
    feasible = golden["feasible"].astype(bool)
    reward_scale, cost_scale = golden.reward.std((-1, -2)), golden.cost.std((-1, -2))
    gap = golden.dual(solution.eta, solution.lam[:, 0]) - golden["dual"]
    violation = golden.expected_cost(solution.weights) - golden["eps1"]
    optimal = golden.weights(golden["eta"], golden["lam"])
    variation = 0.5 * np.abs(solution.weights - optimal).sum(-1)
    np.testing.assert_array_less(gap[feasible], 1e-4 * reward_scale[feasible])
    np.testing.assert_array_less(golden.kl(solution.weights)[feasible], 1.01 * golden["eps2"][feasible])
    assert np.all(violation[feasible] <= 1e-3 * cost_scale[feasible])
    assert variation[feasible].max() <= 5e-3
    assert np.all(solution.converged[feasible])


@pytest.mark.optimized
def test_reports_agree_with_the_weights(golden: Golden, solution: DualSolution) -> None:
    # At the least eta the exponents are so large that their float32 products are all that the KL is made of.
    regular = solution.eta > 10 * ETA_MIN
    np.testing.assert_allclose(solution.kl[regular], golden.kl(solution.weights)[regular], rtol=1e-3)
    gap = solution.costs[:, 0] - golden.expected_cost(solution.weights)
    assert np.all(np.abs(gap) <= 1e-4 * golden.cost.std((-1, -2)) + 1e-6 * np.abs(golden.cost).max((-1, -2)))
    value = golden.dual(solution.eta, solution.lam[:, 0])
    np.testing.assert_allclose(solution.dual, value, rtol=1e-5, atol=1e-5 * golden.reward.std())


@pytest.mark.parametrize("cap", CAPS)
def test_infeasible_problems_reach_the_capped_optimum(golden: Golden, cap: int) -> None:
    solution = golden.solve(lam_max=cap)
    infeasible = ~golden["feasible"].astype(bool)
    reference = golden[f"cap{cap}_dual"]
    gap = golden.dual(solution.eta, solution.lam[:, 0]) - reference
    assert np.all(gap[infeasible] <= 1e-4 * np.maximum(golden.reward.std((-1, -2)), np.abs(reference))[infeasible])
    np.testing.assert_allclose(solution.lam[infeasible, 0], cap, rtol=1e-6)
    assert np.all(golden.kl(solution.weights)[infeasible] <= 1.01 * golden["eps2"][infeasible])
    assert not np.any(solution.converged[infeasible])
    chex.assert_tree_all_finite(solution)


def test_infeasible_problems_end_at_the_least_cost(golden: Golden, solution: DualSolution) -> None:
    infeasible = ~golden["feasible"].astype(bool)
    excess = golden.expected_cost(solution.weights) - golden["min_cost"]
    allowance = 1e-3 * golden.cost.std((-1, -2)) + 1e-6 * np.abs(golden.cost).max((-1, -2))
    assert np.all(excess[infeasible] <= allowance[infeasible])
    assert not np.any(solution.converged[infeasible])
    chex.assert_tree_all_finite(solution)


def test_float64_closes_the_gap(golden: Golden) -> None:
    with jax.enable_x64(True):
        solution = golden.solve()
    feasible = golden["feasible"].astype(bool)
    gap = golden.dual(solution.eta, solution.lam[:, 0]) - golden["dual"]
    assert solution.weights.dtype == np.float64
    assert np.abs(gap[feasible] / golden.reward.std((-1, -2))[feasible]).max() <= 1e-8
