"""Evaluation in whole episodes, on toys whose return is known, and its summary."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy import Bandit

from cvpo_jax import AlgoConfig
from cvpo_jax.algorithm.state import Hyperparameters, StaticConfig, init_train_state
from cvpo_jax.experience.evaluation import EvaluationResult, make_evaluation, summarize


class Dying(Bandit):
    """Pays 1 a step and ends by itself after its third."""

    def step(self, state, action):
        after = super().step(state, action)
        over = (after.pipeline_state.time == 3).astype(jnp.float32)
        time = after.pipeline_state.time * (1 - over)
        inner = dataclasses.replace(after.pipeline_state, time=time)
        return after.replace(pipeline_state=inner, reward=jnp.ones_like(over), done=over)


@pytest.fixture(scope="module")
def state():
    static = StaticConfig.from_config(
        AlgoConfig(hidden=(8,)), observation_size=2, action_size=1, num_constraints=1, episode_length=20
    )
    return init_train_state(static, Hyperparameters.from_config(AlgoConfig()), jax.random.PRNGKey(0))


def test_an_episode_is_summed_to_its_time_limit_and_no_further(state) -> None:
    episodes = make_evaluation(Bandit(5), stochastic=False)(state, jax.random.PRNGKey(0))
    # A fresh policy's mean is near 0: reward a, cost (a + 1) / 2 a step, 20 steps.
    np.testing.assert_allclose(episodes.costs[:, 0], (episodes.returns + 20) / 2, rtol=1e-5)
    assert float(jnp.abs(episodes.returns).max()) < 2
    assert episodes.costs.shape == (5, 1)


def test_what_follows_a_termination_belongs_to_no_episode(state) -> None:
    episodes = make_evaluation(Dying(4), stochastic=False)(state, jax.random.PRNGKey(0))
    np.testing.assert_allclose(episodes.returns, 3)


def test_a_stochastic_policy_spreads_and_a_deterministic_one_does_not(state) -> None:
    key = jax.random.PRNGKey(1)
    assert make_evaluation(Bandit(16), stochastic=False)(state, key).returns.std() < 1e-5
    assert make_evaluation(Bandit(16), stochastic=True)(state, key).returns.std() > 0.1


def test_the_summary_names_each_constraint_and_relates_it_to_its_limit() -> None:
    episodes = EvaluationResult(jnp.array([1.0, 3.0]), jnp.array([[10.0, 0.0], [20.0, 4.0]]))
    row = summarize(episodes, (30.0, 1.0))
    assert row["return_mean"] == 2
    assert row["cost_0_mean"] == 15
    assert row["cost_over_limit_0"] == pytest.approx(0.5)
    assert row["cost_over_limit_1"] == pytest.approx(2)
