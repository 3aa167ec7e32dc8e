"""SAC-Lagrangian: what it is compared by must be the algorithm itself, on problems solved by hand."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from known_cmdps import LIMIT, NUM_ENVS, algo, evaluate, solve
from scipy.stats import multivariate_normal
from toy import Bandit

from cvpo_jax.algorithm import critics, gaussian, sac_lag
from cvpo_jax.algorithm.gaussian import Gaussian
from cvpo_jax.algorithm.optimizer import make_optimizer
from cvpo_jax.algorithm.state import Batch
from cvpo_jax.config import Config

BANDIT = pytest.mark.xdist_group("bandit by SAC-Lagrangian")
"""Tests of one compiled program."""
TARGET = Config().controller.target_share * LIMIT


@pytest.mark.parametrize("full", [False, True])
def test_entropy_is_that_of_the_normal_distribution(full) -> None:
    factor = np.array([[0.3, 0.0], [0.1, 0.2]]) if full else np.diag([0.3, 0.2])
    scale = jnp.asarray(factor if full else np.diag(factor))
    expected = multivariate_normal(np.zeros(2), factor @ factor.T).entropy()
    assert gaussian.entropy(Gaussian(jnp.zeros(2), scale)) == pytest.approx(expected, abs=1e-5)


@BANDIT
@pytest.mark.optimized
def test_the_controller_holds_the_bandits_cost_just_under_its_limit() -> None:
    """Reward and cost are linear in the action, so that a multiplier of 1, in units of their slopes, balances them."""
    env = Bandit(NUM_ENVS)
    state = solve(env, algo(name="sac_lag"), 12_000)
    returns, costs = evaluate(env, state, stochastic=False)
    assert costs == pytest.approx(TARGET, rel=0.1)
    assert returns == pytest.approx(2 * costs - env.episode_length, abs=0.01), "nothing is given away"
    assert state.controller.integral[0] == pytest.approx(1.0, abs=0.15)


def test_plain_dual_ascent_raises_the_multiplier_above_the_limit_and_lowers_it_below() -> None:
    settings = algo(name="sac_lag", limit_mode="paper")
    state = solve(Bandit(NUM_ENVS), settings, 200)

    def ascended(limit: float) -> float:
        aimed = state.replace(hyperparameters=state.hyperparameters.replace(cost_limit=jnp.array([limit])))
        return float(sac_lag._multipliers(aimed, jnp.ones(1))[0] - state.duals.lam[0])

    cost = float(state.controller.fast.episode_cost(Bandit.episode_length)[0])
    assert ascended(cost / 2) == pytest.approx(sac_lag.MULTIPLIER_RATE, rel=1e-3)
    assert ascended(2 * cost) == pytest.approx(-sac_lag.MULTIPLIER_RATE / 2, rel=1e-2)


@BANDIT
def test_the_policy_follows_the_gradient_through_the_critics() -> None:
    state = solve(Bandit(NUM_ENVS), algo(name="sac_lag"), 20)
    state = state.replace(duals=state.duals.replace(lam=jnp.array([0.7])))
    static, key = state.static, jax.random.PRNGKey(3)
    observation = jax.random.normal(key, (16, static.observation_size))
    empty = jnp.zeros(16)
    action = jnp.zeros((16, static.action_size))
    batch = Batch(observation, action, empty, empty[:, None], empty, observation, observation)
    noise = jax.random.normal(key, (16, static.action_size))

    def loss(params):
        policy = static.actor.apply(params, observation)
        values = static.critics.apply(state.critics, observation, jnp.clip(policy.sample(noise), -1, 1))
        reward, costs = critics.aggregate(values, 1, static.algo.cost_aggregate, static.algo.reward_critics)
        objective = reward - 0.7 * costs[0] + state.duals.eta * gaussian.entropy(policy)
        return -objective.mean() / 1.7

    value, gradients = jax.value_and_grad(loss)(state.actor)
    steps, _ = make_optimizer(state.hyperparameters.actor_lr).update(gradients, state.actor_optimizer)
    learned, metrics = sac_lag.update_policy(state, batch, key, None)
    jax.tree.map(
        lambda new, old, step: np.testing.assert_allclose(np.asarray(new), np.asarray(old + step), rtol=0, atol=1e-6),
        *(learned.actor, state.actor, steps),
    )
    assert metrics["sac/loss"] == pytest.approx(float(value), rel=1e-5)


@BANDIT
def test_the_temperature_seeks_the_target_entropy() -> None:
    state = solve(Bandit(NUM_ENVS), algo(name="sac_lag"), 2)
    target = sac_lag.TARGET_ENTROPY * state.static.action_size
    assert sac_lag._temperature(state, jnp.float32(target + 1)) < state.duals.eta
    assert sac_lag._temperature(state, jnp.float32(target - 1)) > state.duals.eta
    assert sac_lag._temperature(state, jnp.float32(target)) == state.duals.eta


@BANDIT
def test_cvpos_options_that_it_does_not_use_change_nothing() -> None:
    settings = algo(name="sac_lag")
    states = [solve(Bandit(NUM_ENVS), replace(settings, **other), 40) for other in ({}, {"kl_estep": 0.5})]
    jax.tree.map(np.testing.assert_array_equal, states[0].actor, states[1].actor)
