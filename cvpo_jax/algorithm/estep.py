"""The E-step: solve the dual for the temperature eta and the multipliers lam, and return the weights of the samples.

Notation: B states, K sampled actions a state, C constraints.

jaxopt's L-BFGS-B approaches the minimum from the best point known, a few damped Newton steps on the (1 + C)-dimensional
problem finish it. L-BFGS-B alone stops at the accuracy of its line search in float32, and needs many iterations on
constraints that are nearly infeasible, where the dual is almost flat along a ray; Newton steps on the analytic Hessian
cost one evaluation each and handle both. jaxopt is no longer developed: this is the only module that imports it.
"""

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array
from jaxopt import LBFGSB

from cvpo_jax.algorithm.dual import DualPoint, NormalizedDual, evaluate, log_weights, normalize, projected_gradient
from cvpo_jax.algorithm.feasibility import attainable_cost_decrease

__all__ = ["DualSolution", "Duals", "attainable_cost_decrease", "solve_dual"]

# Settings measured on the reference problems, cold and warm.
LBFGSB_ITERATIONS = 10
LBFGSB_TOLERANCE = 1e-2
NEWTON_ITERATIONS = 40
# Most that one Newton step may change eta by, as a factor: far from the minimum the quadratic model overshoots.
ETA_FACTOR = 10.0
# Largest relative error in the KL bound, and in each threshold over its tilt, of a solution called converged.
CONVERGED_TOLERANCE = 1e-3
LAM_MAX = 1e5


@struct.dataclass
class Duals:
    """The variables of the dual: eta [] in the units of Qr, lam [C] in units of Qr per unit of Qc."""

    eta: Array
    lam: Array

    @classmethod
    def initial(cls, num_constraints: int) -> "Duals":
        """A start before any problem has been solved; `solve_dual` replaces it where it knows better."""
        return cls(eta=jnp.ones(()), lam=jnp.zeros((num_constraints,)))


@struct.dataclass
class DualSolution:
    """The minimizer of the dual and what it implies, in raw units.

    eta [], lam [C]: the minimizer, within its box.
    weights: [B, K] the optimal q; each row sums to one.
    dual: [] the value of the dual.
    kl: [] batch mean of KL(q || uniform).
    costs: [C] batch mean of the expected Qc under q.
    converged: [] bool, True if all constraints hold, tight where their multiplier is positive, and no multiplier sits
        at its cap. False says: infeasible within the KL bound, lam_max too small, or not solved.
    """

    eta: Array
    lam: Array
    weights: Array
    dual: Array
    kl: Array
    costs: Array
    converged: Array

    @property
    def duals(self) -> Duals:
        """The warm start for the next problem."""
        return Duals(eta=self.eta, lam=self.lam)


def solve_dual(
    q_reward: Array,
    q_costs: Array,
    cost_thresholds: Array,
    kl_bound: Array | float,
    *,
    warm_start: Duals | None = None,
    lam_max: Array | float = LAM_MAX,
) -> DualSolution:
    """Minimize the E-step's dual (Liu et al. 2022, section 4.1) over eta > 0 and 0 <= lam <= lam_max.

    Args:
        q_reward: [B, K] reward values of K actions of the old policy in each of B states.
        q_costs: [C, B, K] cost values of the same actions.
        cost_thresholds: [C] bounds on the batch mean of E_q[Qc], in the units of Qc.
        kl_bound: [] bound on the batch mean of KL(q || old policy), in nats.
        warm_start: duals to start from, usually those of the last batch; the result is never worse.
        lam_max: [] or [C] cap on lam in raw units (Qr per Qc), reached where no q within the KL bound satisfies the
            threshold. The default is out of the way of every feasible problem, not a safe value for learning: weights
            at the cap all but ignore the reward.

    Returns:
        The solution. Its duals are those of `warm_start` where Q is not finite.

    Raises:
        ValueError: if the shapes do not fit together.
    """
    _check_shapes(q_reward, q_costs, cost_thresholds)
    dtype = jnp.result_type(float)
    inputs = (q_reward, q_costs, cost_thresholds, kl_bound, jnp.broadcast_to(lam_max, jnp.shape(cost_thresholds)))
    problem = normalize(*(jax.lax.stop_gradient(jnp.asarray(array, dtype)) for array in inputs))
    fallback = Duals.initial(len(q_costs)) if warm_start is None else warm_start
    last_good = jnp.concatenate([fallback.eta[None], fallback.lam]).astype(dtype)

    x, point = _minimize(problem, *_best_start(problem, last_good / problem.units))
    finite = jnp.all(jnp.isfinite(x)) & jnp.isfinite(point.value)
    raw = jnp.where(finite, x * problem.units, last_good)
    return DualSolution(
        eta=raw[0],
        lam=raw[1:],
        weights=jax.nn.softmax(log_weights(problem, x), axis=-1),
        dual=problem.value_scale * point.value + problem.value_shift,
        kl=point.kl,
        costs=cost_thresholds + problem.cost_scales * point.excess,
        converged=finite & _is_optimal(problem, x, point, CONVERGED_TOLERANCE) & jnp.all(x[1:] < problem.upper[1:]),
    )


def _check_shapes(q_reward: Array, q_costs: Array, cost_thresholds: Array) -> None:
    states, samples = jnp.shape(q_reward)
    expected = (jnp.size(cost_thresholds), states, samples)
    if jnp.ndim(cost_thresholds) != 1 or jnp.shape(q_costs) != expected:
        raise ValueError(
            f"q_costs has shape {jnp.shape(q_costs)} and cost_thresholds {jnp.shape(cost_thresholds)}: "
            f"with q_reward {jnp.shape(q_reward)} give q_costs [C, {states}, {samples}] and cost_thresholds [C]"
        )


def _best_start(problem: NormalizedDual, warm: Array) -> tuple[Array, Array]:
    """The better of the warm start [1 + C] and the minimizer for Gaussian values and slack limits, and its value []."""
    cold = jnp.zeros_like(warm).at[0].set(1.0)
    starts = jnp.clip(jnp.stack([warm, cold]), problem.lower, problem.upper)
    values = jax.vmap(lambda x: evaluate(problem, x).value)(starts)
    best = jnp.nanargmin(values)
    return starts[best], values[best]


def _is_optimal(problem: NormalizedDual, x: Array, point: DualPoint, tolerance: float) -> Array:
    """Whether [] the projected gradient at x [1 + C] is within `tolerance`."""
    return jnp.max(jnp.abs(projected_gradient(problem, x, point.gradient))) <= tolerance


def _minimize(problem: NormalizedDual, start: Array, start_value: Array) -> tuple[Array, DualPoint]:
    """L-BFGS-B from `start` [1 + C], then Newton's method from whichever of the two lies lower."""

    def value_and_gradient(x: Array) -> tuple[Array, Array]:
        point = evaluate(problem, x)
        return point.value, point.gradient

    solver = LBFGSB(
        value_and_gradient,
        value_and_grad=True,
        maxiter=LBFGSB_ITERATIONS,
        tol=LBFGSB_TOLERANCE,
        history_size=5,
        maxls=10,
        linesearch="zoom",
        implicit_diff=False,
        unroll=False,
    )
    x, state = solver.run(start, bounds=(problem.lower, problem.upper))
    x = jnp.clip(x, problem.lower, problem.upper)
    return _newton(problem, jnp.where(state.value <= start_value, x, start))


@struct.dataclass
class _NewtonState:
    """The best x [1 + C] so far, the dual there, the damping [] of the next step and the number of steps []."""

    x: Array
    point: DualPoint
    damping: Array
    steps: Array


def _newton(problem: NormalizedDual, start: Array) -> tuple[Array, DualPoint]:
    """Projected Newton steps from `start` [1 + C], damped as Levenberg and Marquardt do, never uphill.

    One evaluation a step: a step that fails is repeated shorter, with more damping, instead of a line search.
    """
    tolerance = 0.03 * float(jnp.finfo(start.dtype).eps) ** 0.5

    def unfinished(state: _NewtonState) -> Array:
        return (state.steps < NEWTON_ITERATIONS) & ~_is_optimal(problem, state.x, state.point, tolerance)

    def step(state: _NewtonState) -> _NewtonState:
        x = _newton_step(problem, state)
        point = evaluate(problem, x)
        accepted = point.value <= state.point.value + point.rounding
        x, point = jax.tree.map(lambda new, old: jnp.where(accepted, new, old), (x, point), (state.x, state.point))
        damping = jnp.where(accepted, 0.1 * state.damping, 10.0 * jnp.maximum(state.damping, 1e-3))
        return _NewtonState(x=x, point=point, damping=damping, steps=state.steps + 1)

    state = _NewtonState(
        x=start, point=evaluate(problem, start), damping=jnp.zeros((), start.dtype), steps=jnp.zeros((), jnp.int32)
    )
    state = jax.lax.while_loop(unfinished, step, state)
    return state.x, state.point


def _newton_step(problem: NormalizedDual, state: _NewtonState) -> Array:
    """The next x [1 + C]: a damped Newton step in the variables off their bounds, cut where eta would run away."""
    gradient = projected_gradient(problem, state.x, state.point.gradient)
    free = gradient != 0
    hessian = jnp.where(free[:, None] & free, state.point.hessian, 0.0)
    diagonal = jnp.diag(hessian)
    tiny = jnp.finfo(state.x.dtype).eps
    # Curvature falls as 1 / eta: the term that keeps a linear dual solvable must not outgrow it far out.
    ridge = (state.damping + tiny) * diagonal + tiny**2 / state.x[0]
    move = -jnp.linalg.solve(hessian + jnp.diag(jnp.where(free, ridge, 1.0)), gradient)
    eta = state.x[0]
    room = jnp.where(move[0] < 0, eta - eta / ETA_FACTOR, eta * ETA_FACTOR - eta)
    cut = jnp.minimum(1.0, room / jnp.maximum(jnp.abs(move[0]), tiny * eta))
    return jnp.clip(state.x + cut * move, problem.lower, problem.upper)
