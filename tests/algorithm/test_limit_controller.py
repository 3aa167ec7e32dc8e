"""Limits and thresholds against the published numbers, and the controller's reactions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cvpo_jax.algorithm import limit_controller
from cvpo_jax.algorithm.estep import attainable_cost_decrease, solve_dual

T = 1000
LIMIT = jnp.array([25.0])


@pytest.mark.parametrize(
    ("limit", "gamma", "length", "threshold"),
    [(25.0, 0.99, 1000, 2.500), (25.0, 0.995, 1000, 4.967), (10.0, 0.99, 400, 2.455)],
)
def test_the_papers_threshold(limit: float, gamma: float, length: int, threshold: float) -> None:
    assert limit_controller.threshold_from_limit(limit, gamma, length) == pytest.approx(threshold, abs=5e-4)
    back = limit_controller.episodic_cost(jnp.float32(threshold), jnp.float32(gamma), length)
    assert back == pytest.approx(limit, rel=1e-3)


def measured(
    episode_cost: float, before: float | None = None, integral: float = 0.5, reference: float = 0.0
) -> limit_controller.ControllerState:
    """A controller that saw episodes of this cost for long, or lately after others."""
    fast, slow = episode_cost / T, (episode_cost if before is None else before) / T
    return limit_controller.ControllerState(*(jnp.array([value]) for value in (fast, slow, slow, integral, reference)))


def test_pressure_rises_with_the_measured_cost_and_falls_with_slack() -> None:
    aim = limit_controller.TARGET_SHARE * float(LIMIT[0])
    pressures = [float(limit_controller.pressure(measured(value), LIMIT, T)[0]) for value in (0, 10, aim, 40, 80)]
    assert pressures == sorted(pressures)
    assert len(set(pressures)) == 5
    # Where the aimed-at share of the limit is met and nothing moves, only the integral speaks.
    assert pressures[2] == pytest.approx(0.5, abs=1e-5)


def test_a_falling_cost_relieves_before_the_limit_is_reached() -> None:
    steady, falling = measured(40), measured(40, before=60)
    assert limit_controller.pressure(falling, LIMIT, T)[0] < limit_controller.pressure(steady, LIMIT, T)[0]


def test_the_integral_rests_where_the_mean_and_not_the_geometric_mean_of_cost_is_as_aimed() -> None:
    aim = limit_controller.TARGET_SHARE * float(LIMIT[0])
    steps = [
        float(limit_controller.integrate(measured(share * aim), LIMIT, T).integral[0]) - 0.5
        for share in (0.7, 1.0, 1.3)
    ]
    assert steps[1] == pytest.approx(0, abs=1e-7)
    # Float32 near 0.5 resolves 6e-8, and a floor of one step in a thousand keeps the ratio off exactly one half.
    assert steps[2] == pytest.approx(0.3 * limit_controller.INTEGRAL_RATE, rel=0.06)
    assert steps[0] == pytest.approx(-steps[2], abs=1.2e-7)


def test_a_deployed_policy_that_costs_more_than_the_newest_counts_and_one_that_costs_less_does_not() -> None:
    controllers = [measured(20).replace(deployed=jnp.array([value / T])) for value in (10, 20, 30)]
    below, equal, above = (float(limit_controller.pressure(controller, LIMIT, T)[0]) for controller in controllers)
    assert below == equal < above
    assert above == pytest.approx(float(limit_controller.pressure(measured(30), LIMIT, T)[0]), abs=1e-6)


def test_the_integral_stays_in_its_range_and_recovers() -> None:
    for value, end in ((1000.0, limit_controller.MAX_PRESSURE), (0.0, -limit_controller.MAX_PRESSURE)):
        controller = measured(value, integral=0.99 * end)
        for _ in range(1000):
            controller = limit_controller.integrate(controller, LIMIT, T)
        assert controller.integral[0] == pytest.approx(end)
        recovering = limit_controller.integrate(controller.replace(fast=LIMIT / T, slow=0.5 * LIMIT / T), LIMIT, T)
        assert np.isfinite(recovering.integral[0])


def test_the_limit_is_approached_from_the_cost_that_free_learning_had() -> None:
    """Free at first; then the reference starts at the cost found, and leads down to the limit at its rate."""
    start = float(limit_controller.initial_controller(1, 3000).reference[0])
    controller = measured(300, reference=start, integral=limit_controller.INITIAL_INTEGRAL)
    integrate = jax.jit(lambda controller: limit_controller.integrate(controller, LIMIT, T))
    for _ in range(3000 - 20):
        controller = integrate(controller)
    assert controller.integral[0] == limit_controller.INITIAL_INTEGRAL
    assert limit_controller.pressure(controller, LIMIT, T)[0] < 0
    for _ in range(40):  # sums of 3,000 small float32 steps are off by a few of them
        controller = integrate(controller)
    error = float(limit_controller.error(jnp.float32(0.3), LIMIT, T)[0])
    assert controller.reference[0] == pytest.approx(error, abs=40 * limit_controller.DESCENT_RATE)
    assert limit_controller.pressure(controller, LIMIT, T)[0] == pytest.approx(
        limit_controller.INITIAL_INTEGRAL, abs=0.01
    )
    for _ in range(round(error / limit_controller.DESCENT_RATE / 2)):
        controller = integrate(controller)
    assert controller.reference[0] == pytest.approx(error / 2, rel=0.01)
    assert limit_controller.pressure(controller, LIMIT, T)[0] > 0.2 + limit_controller.INITIAL_INTEGRAL
    # Cost that falls ahead of the reference takes it along, so that it need not rise again.
    ahead = integrate(controller.replace(slow=LIMIT / T, fast=LIMIT / T))
    found = float(limit_controller.error(LIMIT / T, LIMIT, T)[0])
    assert float(ahead.reference[0]) == pytest.approx(found - limit_controller.DESCENT_RATE, abs=1e-5)
    assert found < error / 2


def test_without_free_updates_the_limit_is_aimed_at_from_the_first() -> None:
    controller = limit_controller.initial_controller(1, 0).replace(fast=LIMIT / T, slow=LIMIT / T)
    aimed = measured(float(LIMIT[0]), integral=limit_controller.INITIAL_INTEGRAL).replace(deployed=jnp.zeros(1))
    for _ in range(5):
        assert limit_controller.pressure(controller, LIMIT, T) == pytest.approx(
            limit_controller.pressure(aimed, LIMIT, T)
        )
        controller, aimed = (limit_controller.integrate(one, LIMIT, T) for one in (controller, aimed))


def test_a_limit_of_zero_is_finite_and_presses_on() -> None:
    zero = jnp.zeros(1)
    assert limit_controller.pressure(measured(30), zero, T)[0] > limit_controller.pressure(measured(0), zero, T)[0]
    assert np.isfinite(limit_controller.pressure(measured(0), zero, T)[0])


def test_running_means_start_as_plain_means_and_forget_exponentially() -> None:
    controller = limit_controller.initial_controller(1, 3000)
    for step, value in enumerate([1.0, 0.0, 0.5]):
        controller = limit_controller.measure(
            controller, jnp.array([value]), jnp.array([2 * value]), jnp.float32(step), 1, T
        )
    assert controller.fast[0] == pytest.approx(0.5)
    assert controller.deployed[0] == pytest.approx(1.0)
    later = limit_controller.measure(controller, jnp.array([1.5]), jnp.array([0.0]), jnp.float32(10 * T), 1, T)
    assert later.fast[0] == pytest.approx(0.5 + 1.0 / (limit_controller.FAST_EPISODES * T), rel=1e-4)
    assert later.slow[0] == pytest.approx(0.5 + 1.0 / (limit_controller.SLOW_EPISODES * T), rel=1e-4)
    assert later.deployed[0] == pytest.approx(1.0 - 1.0 / (limit_controller.SLOW_EPISODES * T), rel=1e-4)


@pytest.mark.parametrize("pressure", [0.5, 1.5, 3.0])
def test_what_is_asked_for_is_attainable_and_costs_the_multiplier_it_says(pressure: float) -> None:
    """On independent Q's of unit spread, and a KL bound small enough for the tilt to be linear, lam is the pressure."""
    rng = np.random.default_rng(0)
    reward = jnp.asarray(rng.normal(size=(256, 64)), jnp.float32)
    costs = jnp.asarray(rng.normal(size=(1, 256, 64)), jnp.float32)
    threshold = limit_controller.controlled_threshold(
        jnp.array([pressure]), costs.mean((1, 2)), attainable_cost_decrease(costs, jnp.float32(0.01))
    )
    solution = solve_dual(reward, costs, threshold, jnp.float32(0.01))
    assert solution.converged
    assert solution.lam[0] == pytest.approx(pressure, rel=0.1)
