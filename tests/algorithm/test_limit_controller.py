"""The controller's reactions."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cvpo_jax.algorithm.estep import solve_dual
from cvpo_jax.algorithm.feasibility import attainable_cost_decrease
from cvpo_jax.algorithm.limit_controller import (
    ControllerState,
    LimitController,
    controlled_threshold,
    initial_controller,
    observe_rates,
)
from cvpo_jax.algorithm.step_rates import StepRates
from cvpo_jax.config import Config

T = 1000
LIMIT = jnp.array([25.0])
CONSTANTS = Config().complete().controller
LAW = LimitController(CONSTANTS, LIMIT, T)
advance = jax.jit(lambda controller: LAW.advance(controller))


def rates(episode_cost: float | jax.Array) -> StepRates:
    """Of costs of 0 and 1 in episodes that end by their time limit."""
    cost = jnp.reshape(jnp.float32(episode_cost) / T, 1)
    return StepRates(cost, cost, jnp.zeros(()), jnp.float32(1 / T))


def measured(
    episode_cost: float, before: float | None = None, integral: float = 0.5, reference: float = 0.0
) -> ControllerState:
    """A controller that saw episodes of this cost for long, or lately after others."""
    fast, slow = rates(episode_cost), rates(episode_cost if before is None else before)
    return ControllerState(fast, slow, slow, jnp.array([integral]), jnp.array([reference]))


def test_pressure_rises_with_the_measured_cost_and_falls_with_slack() -> None:
    aim = CONSTANTS.target_share * float(LIMIT[0])
    pressures = [float(LAW.pressure(measured(value))[0]) for value in (0, 10, aim, 40, 80)]
    assert pressures == sorted(pressures)
    assert len(set(pressures)) == 5
    # Where the aimed-at share of the limit is met and nothing moves, only the integral speaks.
    assert pressures[2] == pytest.approx(0.5, abs=1e-5)


def test_a_falling_cost_relieves_before_the_limit_is_reached() -> None:
    steady, falling = measured(40), measured(40, before=60)
    assert LAW.pressure(falling)[0] < LAW.pressure(steady)[0]


def test_the_integral_rests_where_the_mean_and_not_the_geometric_mean_of_cost_is_as_aimed() -> None:
    aim = CONSTANTS.target_share * float(LIMIT[0])
    steps = [float(LAW.advance(measured(share * aim)).integral[0]) - 0.5 for share in (0.7, 1.0, 1.3)]
    assert steps[1] == pytest.approx(0, abs=1e-7)
    # Float32 near 0.5 resolves 6e-8, and a floor of one step in a thousand keeps the ratio off exactly one half.
    assert steps[2] == pytest.approx(0.3 * CONSTANTS.integral_rate, rel=0.06)
    assert steps[0] == pytest.approx(-steps[2], abs=1.2e-7)


def test_a_deployed_policy_that_costs_more_than_the_newest_counts_and_one_that_costs_less_does_not() -> None:
    controllers = [measured(20).replace(deployed=rates(value)) for value in (10, 20, 30)]
    below, equal, above = (float(LAW.pressure(controller)[0]) for controller in controllers)
    assert below == equal < above
    assert above == pytest.approx(float(LAW.pressure(measured(30))[0]), abs=1e-6)


def test_the_integral_stays_in_its_range_and_recovers() -> None:
    for value, end in ((1000.0, CONSTANTS.max_pressure), (0.0, -CONSTANTS.max_pressure)):
        controller = measured(value, integral=0.99 * end)
        for _ in range(1000):
            controller = advance(controller)
        assert controller.integral[0] == pytest.approx(end)
        recovering = LAW.advance(controller.replace(fast=rates(LIMIT), slow=rates(0.5 * LIMIT)))
        assert np.isfinite(recovering.integral[0])


def test_the_limit_is_approached_from_the_cost_that_free_learning_had() -> None:
    """Free at first; then the reference starts at the cost found, and leads down to the limit at its rate."""
    start = float(initial_controller(CONSTANTS, 1, 3000).reference[0])
    controller = measured(300, reference=start, integral=CONSTANTS.initial_integral)
    for _ in range(3000 - 20):
        controller = advance(controller)
    assert controller.integral[0] == CONSTANTS.initial_integral
    assert LAW.pressure(controller)[0] < 0
    for _ in range(40):  # sums of 3,000 small float32 steps are off by a few of them
        controller = advance(controller)
    error = float(LAW.error(rates(300))[0])
    assert controller.reference[0] == pytest.approx(error, abs=40 * CONSTANTS.descent_rate)
    assert LAW.pressure(controller)[0] == pytest.approx(CONSTANTS.initial_integral, abs=0.01)
    for _ in range(round(error / CONSTANTS.descent_rate / 2)):
        controller = advance(controller)
    assert controller.reference[0] == pytest.approx(error / 2, rel=0.01)
    assert LAW.pressure(controller)[0] > 0.2 + CONSTANTS.initial_integral
    # Cost that falls ahead of the reference takes it along, so that it need not rise again.
    ahead = advance(controller.replace(slow=rates(LIMIT), fast=rates(LIMIT)))
    found = float(LAW.error(rates(LIMIT))[0])
    assert float(ahead.reference[0]) == pytest.approx(found - CONSTANTS.descent_rate, abs=1e-5)
    assert found < error / 2


def test_without_unconstrained_updates_the_limit_is_aimed_at_from_the_first() -> None:
    controller = initial_controller(CONSTANTS, 1, 0).replace(fast=rates(LIMIT), slow=rates(LIMIT))
    aimed = measured(float(LIMIT[0]), integral=CONSTANTS.initial_integral).replace(deployed=rates(0.0))
    for _ in range(5):
        assert LAW.pressure(controller) == pytest.approx(LAW.pressure(aimed))
        controller, aimed = (LAW.advance(one) for one in (controller, aimed))


def test_a_limit_of_zero_is_finite_and_presses_on() -> None:
    law = LimitController(CONSTANTS, jnp.zeros(1), T)
    assert law.pressure(measured(30))[0] > law.pressure(measured(0))[0]
    assert np.isfinite(law.pressure(measured(0))[0])


def test_running_means_start_as_plain_means_and_forget_exponentially() -> None:
    observe = partial(observe_rates, CONSTANTS, steps=1, time_limit=T)
    controller = initial_controller(CONSTANTS, 1, 3000)
    for step, value in enumerate([1.0, 0.0, 0.5]):
        controller = observe(controller, rates(value * T), rates(2 * value * T), seen=jnp.float32(step))
    assert controller.fast.cost[0] == pytest.approx(0.5)
    assert controller.deployed.cost[0] == pytest.approx(1.0)
    later = observe(controller, rates(1.5 * T), rates(0.0), seen=jnp.float32(10 * T))
    assert later.fast.cost[0] == pytest.approx(0.5 + 1.0 / (CONSTANTS.fast_episodes * T), rel=1e-4)
    assert later.slow.cost[0] == pytest.approx(0.5 + 1.0 / (CONSTANTS.slow_episodes * T), rel=1e-4)
    assert later.deployed.cost[0] == pytest.approx(1.0 - 1.0 / (CONSTANTS.slow_episodes * T), rel=1e-4)


@pytest.mark.parametrize("pressure", [0.5, 1.5, 3.0])
def test_what_is_asked_for_is_attainable_and_costs_the_multiplier_it_says(pressure: float) -> None:
    """On independent Q's of unit spread, and a KL bound small enough for the tilt to be linear, lam is the pressure."""
    rng = np.random.default_rng(0)
    reward = jnp.asarray(rng.normal(size=(256, 64)), jnp.float32)
    costs = jnp.asarray(rng.normal(size=(1, 256, 64)), jnp.float32)
    threshold = controlled_threshold(
        jnp.array([pressure]), costs.mean((1, 2)), attainable_cost_decrease(costs, jnp.float32(0.01))
    )
    solution = solve_dual(reward, costs, threshold, jnp.float32(0.01))
    assert solution.converged
    assert solution.lam[0] == pytest.approx(pressure, rel=0.1)
