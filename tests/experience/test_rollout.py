"""Acting and collecting on the toys, where each stored step can be checked against the ones before it."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy import Bandit, Chain, ToyEnv

from cvpo_jax import AlgoConfig
from cvpo_jax.algorithm.state import Hyperparameters, StaticConfig, TrainState, init_train_state
from cvpo_jax.experience import rollout
from cvpo_jax.runtime import devices

NUM_ENVS = 8
LIMIT = 10.0
STEPS = 50


def make_state(deterministic_share: float) -> TrainState:
    algo = AlgoConfig(hidden=(8,), deterministic_share=deterministic_share, cost_limit=LIMIT)
    static = StaticConfig.from_config(algo, observation_size=2, action_size=1, num_constraints=1, episode_length=20)
    return init_train_state(static, Hyperparameters.from_config(algo), jax.random.PRNGKey(0))


def collected(env: ToyEnv, state: TrainState, *, random: bool) -> tuple:
    """State and collector after STEPS steps, the count of bad values, and the stored rows `[STEPS, N, ...]`."""
    collector = rollout.start(env, STEPS, jax.random.PRNGKey(1))
    collect = jax.jit(partial(rollout.collect, env, steps=STEPS, random=random, axis_name=None))
    state, collector, bad = collect(state, collector)
    return state, collector, bad, jax.tree.map(np.asarray, collector.replay.data)


@pytest.fixture(scope="module")
def explored() -> tuple:
    return collected(Bandit(NUM_ENVS), make_state(0.5), random=True)


@pytest.fixture(scope="module")
def greedy() -> tuple:
    return collected(Chain(NUM_ENVS), make_state(1.0), random=False)


def test_the_first_environments_act_by_means_of_average_and_newest_and_the_others_explore() -> None:
    state, observation = make_state(0.25), jnp.tile(jnp.array([1.0, 0.0]), (4000, 1))
    state = state.replace(average_actor=jax.tree.map(lambda x: x + 0.01, state.actor))
    action = rollout.act(state, observation, jax.random.PRNGKey(2), random=False)
    average, policy = (state.static.actor.apply(actor, observation) for actor in (state.average_actor, state.actor))
    assert jnp.abs(average.mean - policy.mean).min() > 1e-3
    np.testing.assert_allclose(action[:500], average.mean[:500], atol=1e-6)
    np.testing.assert_array_equal(action[500:1000], policy.mean[500:1000])
    assert action[1000:].std() == pytest.approx(float(policy.scale[0, 0]), rel=0.1)
    assert jnp.abs(action).max() <= 1
    assert rollout.deterministic_envs(make_state(0.0).static, 8) == 0
    assert rollout.deterministic_envs(make_state(1.0).static, 8) == 8


def test_the_warm_up_acts_uniformly_whatever_the_policy() -> None:
    state, observation = make_state(1.0), jnp.zeros((4000, 2))
    action = rollout.act(state, observation, jax.random.PRNGKey(2), random=True)
    assert action.shape == (4000, 1)
    np.testing.assert_allclose(np.quantile(action, [0.0, 0.25, 0.5, 0.75, 1.0]), [-1, -0.5, 0, 0.5, 1], atol=0.06)


def test_a_stored_observation_is_the_one_its_action_was_chosen_from(greedy) -> None:
    _, _, _, rows = greedy
    # Greedy actions are a function of the observation alone: here the untrained network's, before any statistics.
    expected = rollout.act(make_state(1.0), jnp.asarray(rows.observation[7]), jax.random.PRNGKey(0), random=False)
    np.testing.assert_allclose(rows.action[7], expected, atol=1e-6)
    other = rollout.act(make_state(1.0), 1 - jnp.asarray(rows.observation[7]), jax.random.PRNGKey(0), random=False)
    assert np.abs(other - expected).min() > 1e-3, "the two places must be told apart"


def test_the_next_row_starts_where_the_action_led_and_a_new_episode_at_its_start() -> None:
    _, _, _, rows = collected(Chain(NUM_ENVS), make_state(0.0), random=True)
    there = (rows.action[..., 0] > 0).astype(np.float32)
    np.testing.assert_array_equal(rows.reward, there)
    np.testing.assert_array_equal(rows.cost[..., 0], there)
    place = rows.observation[..., 1]
    np.testing.assert_array_equal(place[1:], (there * (1 - rows.truncation))[:-1])
    np.testing.assert_array_equal(np.flatnonzero(rows.truncation[:, 0]), [19, 39])
    assert not rows.done.any()
    assert 0 < there.mean() < 1


def test_episodes_are_reported_whole_and_once(explored) -> None:
    _, collector, _, rows = explored
    returns = rows.reward[:40].reshape(2, 20, NUM_ENVS).sum(1)
    costs = rows.cost[:40, :, 0].reshape(2, 20, NUM_ENVS).sum(1)
    sums, metrics = collector.episode.report(None)
    assert metrics["train/episodes"] == 2 * NUM_ENVS
    assert metrics["train/return"] == pytest.approx(returns.mean(), abs=1e-4)
    assert metrics["train/cost"] == pytest.approx(costs.mean(), rel=1e-4)
    assert metrics["train/share_over_limit"] == pytest.approx((costs > LIMIT).mean())
    assert 0 < metrics["train/share_over_limit"] < 1
    np.testing.assert_allclose(sums.reward, rows.reward[40:].sum(0), atol=1e-4)
    np.testing.assert_allclose(sums.cost, rows.cost[40:].sum(0), rtol=1e-4)
    _, again = sums.report(None)
    assert again["train/episodes"] == 0
    assert np.isnan(again["train/cost"])


def test_episodes_of_all_devices_are_reported() -> None:
    one = rollout.EpisodeSums.zeros(NUM_ENVS, 1)
    shares = [
        one.replace(finished=f, finished_reward=r, finished_cost=c, finished_over=o)
        for f, r, c, o in (
            (jnp.float32(1), jnp.float32(5), jnp.ones(1), jnp.zeros(1)),
            (jnp.float32(3), jnp.float32(7), jnp.full(1, 19.0), jnp.full(1, 2.0)),
        )
    ]
    both = jax.tree.map(lambda *x: jnp.stack(x), *shares)
    report = devices.parallel(lambda sums: sums.report(devices.AXIS_NAME), devices.select(2))
    kept, metrics = report(both)
    assert metrics["train/episodes"].tolist() == [4, 4]
    assert metrics["train/return"].tolist() == [3, 3]
    assert metrics["train/cost"].tolist() == [5, 5]
    assert metrics["train/share_over_limit"].tolist() == [0.5, 0.5]
    assert kept.finished.tolist() == kept.finished_cost[:, 0].tolist() == [0, 0]


def test_the_controller_measures_the_greedy_environments_only(explored) -> None:
    state, _, _, rows = explored
    # The first measurement is taken whole.
    np.testing.assert_allclose(state.controller.fast.cost, rows.cost[:, : NUM_ENVS // 2].mean((0, 1)), rtol=1e-5)
    np.testing.assert_allclose(state.controller.deployed.cost, rows.cost[:, : NUM_ENVS // 4].mean((0, 1)), rtol=1e-5)
    assert abs(rows.cost[:, NUM_ENVS // 2 :].mean() - rows.cost[:, : NUM_ENVS // 2].mean()) > 1e-3
    everyone, _, _, rows = collected(Bandit(NUM_ENVS), make_state(0.0), random=True)
    for rate in (everyone.controller.fast.cost, everyone.controller.deployed.cost):
        np.testing.assert_allclose(rate, rows.cost.mean((0, 1)), rtol=1e-5)


def test_steps_are_counted_and_observations_described(greedy) -> None:
    state, _, bad, rows = greedy
    assert int(state.env_steps) == STEPS * NUM_ENVS
    assert int(state.updates) == 0
    assert bad == {"nonfinite": 0, "negative_costs": 0}
    np.testing.assert_allclose(state.observation_statistics.mean, rows.observation.mean((0, 1)), atol=1e-5)


class Broken(Bandit):
    """The second copy's reward and the third one's cost are not numbers."""

    def outcome(self, place, action):
        place, reward, cost = super().outcome(place, action)
        return place, reward.at[1].set(jnp.nan), cost.at[2].set(jnp.inf)


def test_collection_counts_values_that_are_not_finite() -> None:
    env = Broken(NUM_ENVS)
    collector = rollout.start(env, STEPS, jax.random.PRNGKey(1))
    state, _, bad = rollout.collect(env, make_state(0.5), collector, steps=6, random=True, axis_name=None)
    assert bad["nonfinite"] == 2 * 6
    assert int(state.env_steps) == 6 * NUM_ENVS
