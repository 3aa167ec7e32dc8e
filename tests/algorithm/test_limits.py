"""Several limits in one training: each state belongs to one, and each is solved and held as if it were alone."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from known_cmdps import NUM_ENVS, ToldBandit, algo, solve

from cvpo_jax import AlgoConfig, solve_dual
from cvpo_jax.algorithm import critics, limits, update
from cvpo_jax.algorithm.estep import DualSolution
from cvpo_jax.algorithm.state import Hyperparameters, StaticConfig, TrainState, init_train_state
from cvpo_jax.config import ControllerConfig
from cvpo_jax.experience.evaluation import make_evaluation, summarize_each

ALGO = AlgoConfig(hidden=(16,), samples=8, batch_size=24, limits=(5.0, 10.0, 50.0))
SIZES = {"observation_size": 3, "action_size": 2, "num_constraints": 1, "episode_length": 100}
STATES, SAMPLES = 24, 8


def make_state(algo: AlgoConfig) -> TrainState:
    static = StaticConfig.from_config(algo, **SIZES)
    return init_train_state(static, Hyperparameters.from_config(algo), jax.random.PRNGKey(0))


def pressed(state: TrainState) -> TrainState:
    """`state` whose limits are all met, at different pressures: their constraints bind differently."""
    on_target = ControllerConfig().target_share * state.hyperparameters.cost_limit / state.static.episode_length
    rates = state.controller.slow.replace(cost=on_target, incurred=on_target)
    return state.replace(
        controller=state.controller.replace(
            fast=rates,
            slow=rates,
            deployed=rates,
            integral=jnp.array([[0.4], [0.8], [1.5]]),
            reference=jnp.zeros((3, 1)),
        )
    )


def of_one(state: TrainState, index: int) -> TrainState:
    """`state` with what belongs to one limit alone."""
    limit = state.hyperparameters.cost_limit[index]
    return state.replace(
        controller=jax.tree.map(lambda x: x[index], state.controller),
        hyperparameters=state.hyperparameters.replace(cost_limit=limit),
    )


def test_states_are_split_by_their_limits_and_joined_again() -> None:
    static = make_state(ALGO).static
    x = jnp.arange(STATES * 2).reshape(STATES, 2)
    parts = limits.split(static, x)
    assert parts.shape == (3, 8, 2)
    np.testing.assert_array_equal(parts[1], x[1::3])
    np.testing.assert_array_equal(limits.join(static, parts), x)
    np.testing.assert_array_equal(limits.split(static, x.T[None], axis=2), jnp.moveaxis(parts, 2, 1)[:, None])
    one = make_state(replace(ALGO, limits=())).static
    assert limits.split(one, x) is x and limits.join(one, x) is x


def test_what_belongs_to_a_limit_has_an_axis_of_its_own_only_where_there_are_several() -> None:
    several, one = make_state(ALGO), make_state(replace(ALGO, limits=()))
    assert several.hyperparameters.cost_limit.tolist() == [[5.0], [10.0], [50.0]]
    for part in ("duals", "controller"):
        of_one, of_each = (jax.tree.leaves(getattr(state, part)) for state in (one, several))
        assert [x.shape for x in of_each] == [(3, *x.shape) for x in of_one]
    assert make_state(replace(ALGO, name="sac_lag")).duals.eta.shape == (), "one temperature"


def test_each_controller_follows_its_own_limit() -> None:
    state = pressed(make_state(ALGO))
    costly = state.controller.slow.replace(cost=jnp.full((3, 1), 0.1), incurred=jnp.full((3, 1), 0.1))
    state = state.replace(controller=state.controller.replace(fast=costly))
    pressures = limits.for_each(state, lambda one: one.limit_controller.pressure(one.controller))
    advanced = limits.for_each(state, lambda one: one.limit_controller.advance(one.controller))
    for index, limit in enumerate(ALGO.limits):
        alone, controller = of_one(state, index).limit_controller, of_one(state, index).controller
        assert alone.limit.tolist() == [limit]
        np.testing.assert_allclose(pressures[index], alone.pressure(controller), rtol=1e-6)
        np.testing.assert_allclose(advanced.integral[index], alone.advance(controller).integral, rtol=1e-6)
    above = (pressures - state.controller.integral)[:, 0]
    assert above[0] > above[1] > 0 > above[2], "a cost of 10 is twice the first limit, and a fifth of the last"


def test_the_dual_of_each_limit_is_the_one_that_its_states_have_alone() -> None:
    state = pressed(make_state(ALGO))
    values = jax.random.normal(jax.random.PRNGKey(4), (4, STATES, SAMPLES))
    solution, metrics = jax.jit(update.estep, static_argnums=2)(state, values, None)
    assert solution.weights.shape == (STATES, SAMPLES)
    reward, costs = critics.aggregate(values, 1, ALGO.cost_aggregate, ALGO.reward_critics)

    @jax.jit
    def solve_one(alone: TrainState, reward: jax.Array, costs: jax.Array) -> DualSolution:
        threshold = update.choose_threshold(alone, costs)
        return solve_dual(reward, costs, threshold, alone.hyperparameters.kl_estep)

    for index in range(3):
        separate = solve_one(of_one(state, index), reward[index::3], costs[:, index::3])
        assert bool(separate.converged) and float(separate.lam[0]) > 0
        np.testing.assert_allclose(solution.lam[index], separate.lam, rtol=1e-3)
        np.testing.assert_allclose(solution.eta[index], separate.eta, rtol=1e-3)
        np.testing.assert_allclose(solution.weights[index::3], separate.weights, atol=1e-4)
        np.testing.assert_allclose(metrics[f"estep/eta_{index}"], separate.eta, rtol=1e-3)
    assert float(metrics["estep/converged"]) == 1.0
    assert len(set(np.round(solution.lam[:, 0], 3).tolist())) == 3, "each limit has a multiplier of its own"


@pytest.mark.optimized
# CVPO's takes a minute, and that its duals are those of separate batches is tested above.
@pytest.mark.parametrize("name", [pytest.param("cvpo", marks=pytest.mark.slow), "sac_lag"])
def test_one_policy_holds_the_bandits_cost_just_under_each_limit_it_is_told(name) -> None:
    """At each limit as a training at that limit alone would: reward and cost are linear in the action."""
    env = ToldBandit(NUM_ENVS)
    state = solve(env, algo(name=name, limits=env.limits), 12_000)
    row = summarize_each(make_evaluation(env, stochastic=False)(state, jax.random.PRNGKey(3)), env.limits)
    for index, limit in enumerate(env.limits):
        cost = row[f"cost_{index}_mean"]
        assert cost == pytest.approx(ControllerConfig().target_share * limit, rel=0.1)
        assert row[f"return_{index}_mean"] == pytest.approx(2 * cost - env.episode_length, abs=0.01)


def test_without_several_limits_nothing_is_vmapped() -> None:
    static = make_state(replace(ALGO, limits=())).static
    function = partial(jnp.add, 1)
    assert limits.each(static, function) is function
    assert limits.named(static, {"cost/pressure": jnp.ones(())}).keys() == {"cost/pressure"}
