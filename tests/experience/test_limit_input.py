"""The limit as an input: each environment is told its own, draws and measurements keep them apart."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy import Bandit, Walk

from cvpo_jax import AlgoConfig, ConfigError
from cvpo_jax.algorithm.state import Hyperparameters, StaticConfig, init_train_state
from cvpo_jax.experience import replay, rollout
from cvpo_jax.experience.evaluation import EvaluationResult, make_evaluation, summarize_each
from cvpo_jax.experience.limit_input import LimitInput, limit_feature, require_equal_shares
from cvpo_jax.experience.rollout import EpisodeSums
from envs import vectorize

LIMITS = (4.0, 12.0)
ALGO = AlgoConfig(hidden=(8,), limits=LIMITS, batch_size=16, samples=4)


def make_state(env, algo=ALGO):
    sizes = {"action_size": 1, "num_constraints": 1, "episode_length": env.episode_length}
    static = StaticConfig.from_config(algo, observation_size=env.observation_size, **sizes)
    return init_train_state(static, Hyperparameters.from_config(algo), jax.random.PRNGKey(0))


def test_the_last_feature_is_the_limit_of_the_environment_also_in_new_episodes():
    plain = vectorize(Walk(5), 6)
    env = LimitInput(plain, LIMITS)
    assert env.observation_size == plain.observation_size + 1
    told, bare = env.reset(jax.random.PRNGKey(0)), plain.reset(jax.random.PRNGKey(0))
    wanted = np.log1p(np.array([4, 12, 4, 12, 4, 12], np.float32))
    tell, step = jax.jit(env.step), jax.jit(plain.step)
    for _ in range(12):
        np.testing.assert_array_equal(told.obs[:, :-1], bare.obs)
        np.testing.assert_array_equal(told.obs[:, -1], wanted)
        told, bare = tell(told, jnp.ones((6, 1))), step(bare, jnp.ones((6, 1)))


def test_the_feature_is_finite_at_a_limit_of_zero_and_grows_with_the_limit():
    features = limit_feature(np.array([0.0, 5.0, 50.0, 500.0]))
    assert features[0] == 0 and np.all(np.diff(features) > 1.5)


def test_states_are_drawn_by_their_limits_and_as_often_from_each_environment():
    env = LimitInput(Bandit(8), LIMITS)
    state, collector = make_state(env), rollout.start(env, 40, jax.random.PRNGKey(1))
    state, collector, _ = rollout.collect(env, state, collector, steps=40, random=True, axis_name=None)
    # The action tells the environment, as noise does not.
    data = collector.replay.data
    numbered = data.replace(action=jnp.broadcast_to(jnp.arange(8.0)[:, None], data.action.shape))
    options = {"n_step": 2, "gamma": jnp.float32(0.9), "recent_share": 0.25, "recent_rows": 5, "limits": 2}
    batch = replay.sample(collector.replay.replace(data=numbered), jax.random.PRNGKey(2), batch_size=4000, **options)
    wanted = limit_feature(np.resize(np.array(LIMITS), 4000))
    for observation in (batch.observation, batch.next_observation, batch.policy_observation):
        np.testing.assert_array_equal(observation[:, -1], wanted)
    counts = np.bincount(np.asarray(batch.action[:, 0], int), minlength=8)
    assert counts.min() > 400, "500 each on average"


def test_the_cost_of_each_limit_is_measured_by_its_own_environments():
    env = LimitInput(Bandit(16), LIMITS)
    state = make_state(env)
    state = state.replace(average_actor=_steered(state), actor=_steered(state))
    collector = rollout.start(env, 40, jax.random.PRNGKey(1))
    state, _, _ = rollout.collect(env, state, collector, steps=20, random=False, axis_name=None)
    for rates in (state.controller.fast, state.controller.deployed):
        low, high = rates.cost[:, 0]
        assert rates.cost.shape == (2, 1) and low < 0.4 < 0.6 < high


def _steered(state):
    """A policy whose mean rises with the last feature."""
    actor = jax.tree.map(jnp.zeros_like, state.actor)
    layers = actor["params"]
    first, last = layers["hidden_0"], layers["mean"]
    first = {"kernel": first["kernel"].at[-1, 0].set(1.0), "bias": first["bias"].at[0].set(-2.0)}
    last = {"kernel": last["kernel"].at[0].set(4.0), "bias": last["bias"] - 0.5}
    return {"params": layers | {"hidden_0": first, "mean": last}}


def test_an_episode_is_over_the_limit_of_its_own_environment():
    env = Bandit(4)
    sums = EpisodeSums.zeros(4, 1).replace(steps=jnp.full(4, 19), cost=jnp.full((4, 1), 8.0))
    ended = jax.tree.map(jnp.asarray, replay.Transition(
        observation=jnp.zeros((4, 2)), action=jnp.zeros((4, 1)), reward=jnp.zeros(4), cost=jnp.zeros((4, 1)),
        done=jnp.zeros(4), truncation=jnp.ones(4),
    ))  # fmt: skip
    limit = jnp.resize(jnp.array(LIMITS), 4)[:, None]
    assert float(sums.add(ended, limit, env.episode_length).finished_over[0]) == 2


def test_an_evaluation_plays_each_limit_and_judges_it_by_itself():
    env = LimitInput(Bandit(6), LIMITS)
    state = make_state(env)
    row = summarize_each(make_evaluation(env, stochastic=False)(state, jax.random.PRNGKey(0)), LIMITS)
    assert row["cost_limit"] == 8 and (row["cost_limit_0"], row["cost_limit_1"]) == LIMITS
    episodes = EvaluationResult(np.array([1.0, 5.0, 3.0, 7.0]), np.array([[2.0], [18.0], [4.0], [18.0]]))
    row = summarize_each(episodes, LIMITS)
    assert (row["return_mean"], row["return_0_mean"], row["return_1_mean"]) == (4, 2, 6)
    assert (row["cost_mean"], row["cost_0_mean"], row["cost_1_mean"]) == (10.5, 3, 18)
    assert row["cost_over_limit"] == row["cost_over_limit_1"] == 1.5
    assert row["cost_over_limit_0"] == 0.75


@pytest.mark.parametrize(("num_envs", "devices", "fits"), [(16, 1, True), (8, 1, True), (4, 1, False), (6, 2, False)])
def test_environments_that_limits_cannot_share_equally_are_refused(num_envs, devices, fits):
    static = make_state(LimitInput(Bandit(num_envs), LIMITS)).static
    if fits:
        require_equal_shares(static, num_envs, devices)
        return
    with pytest.raises(ConfigError) as raised:
        require_equal_shares(static, num_envs, devices)
    message = str(raised.value)
    assert f"--env.num_envs is {num_envs * devices}" in message and f"a multiple of {8 * devices}" in message
