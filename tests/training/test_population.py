"""Trials side by side: each as it would be alone, on one device as on several, with numbers of its own."""

import dataclasses
from dataclasses import replace

import jax
import numpy as np
import pytest
from toy import Walk
from toy_trainings import use_toys

import envs
from cvpo_jax import AlgoConfig, Config, EnvConfig, EvalConfig, TrainConfig
from cvpo_jax.config import roles
from cvpo_jax.runtime import devices
from cvpo_jax.training import population, trainer

pytestmark = pytest.mark.xdist_group("toys")

CONFIG = Config(
    env=EnvConfig(num_envs=8),
    algo=AlgoConfig(hidden=(8,), batch_size=16, samples=4, n_step=2, recent_steps=64, cost_limit=6.0),
    train=TrainConfig(steps=150, epoch_steps=64, warmup_steps=64, updates_per_step=1 / 16, replay_size=256, devices=1),
    eval=EvalConfig(episodes=4, every=1),
)
"""As in the tests of sweeps, whose programs serve here."""


def trial(seed: int, **options) -> Config:
    return replace(CONFIG, algo=replace(CONFIG.algo, **options), train=replace(CONFIG.train, seed=seed))


TRIALS = (trial(0), trial(1), trial(1, critic_lr=1e-2, gamma=0.9, cost_limit=2.0))


@pytest.fixture(scope="module")
def toys():
    with pytest.MonkeyPatch.context() as patch:
        use_toys(patch)
        yield


def trained(built: trainer.Trainer) -> tuple:
    """Parts, metrics and evaluations of all trials after the warm-up and one epoch of four updates."""
    state, collector = built.fresh()
    state, collector, _ = built.warmup(state, collector)
    given = jax.tree.leaves((state, collector))
    with jax.transfer_guard("disallow"):
        state, collector, metrics = jax.block_until_ready(built.epoch(state, collector))
    assert all(x.is_deleted() for x in given), "buffers are donated"
    keys = [jax.random.PRNGKey(config.train.seed) for config in built.configs]
    return list(built.split(state, collector)), built.rows_of(metrics), built.evaluations(state, keys)


@pytest.fixture(scope="module")
def together(toys) -> tuple:
    """Three trials on two devices: the second slot of the second device is filled up by a copy."""
    return trained(population.build(TRIALS, devices.select(2)))


@pytest.mark.parametrize("index", [1, 2])
def test_a_trial_is_what_it_is_alone(index, together) -> None:
    alone, rows, evaluations = trained(trainer.build(TRIALS[index]))
    parts, all_rows, all_evaluations = together
    assert len(parts) == len(all_rows) == len(all_evaluations) == 3
    assert int(parts[index][0].updates) == int(alone[0][0].updates) == 4
    wanted = jax.tree_util.tree_leaves_with_path(alone[0])
    for (path, x), y in zip(wanted, jax.tree.leaves(parts[index]), strict=True):
        assert x.shape == y.shape, jax.tree_util.keystr(path)
        np.testing.assert_allclose(y, x, rtol=1e-4, atol=1e-5, err_msg=jax.tree_util.keystr(path))
    assert rows[0].keys() == all_rows[index].keys()
    for name, value in rows[0].items():
        np.testing.assert_allclose(all_rows[index][name], value, rtol=1e-3, atol=1e-4, err_msg=name)
    np.testing.assert_allclose(all_evaluations[index].returns, evaluations[0].returns, atol=1e-3)


def test_trials_differ_by_seed_and_by_number(together) -> None:
    states = [state for state, _ in together[0]]
    assert [float(state.hyperparameters.gamma) for state in states] == pytest.approx([0.99, 0.99, 0.9])
    for first, second in ((0, 1), (1, 2)):
        gaps = jax.tree.map(lambda x, y: np.abs(x - y).max(), states[first].critics, states[second].critics)
        assert max(jax.tree.leaves(gaps)) > 1e-3


def test_parts_are_joined_as_they_were_and_go_on_without_compiling_anew(toys) -> None:
    built = population.build(TRIALS, devices.select(2))
    fresh = built.fresh()
    parts = list(built.split(*fresh))
    for shapes, part in zip([built.template()] * 3, parts, strict=True):
        jax.tree.map(lambda x, y: np.testing.assert_equal((x.shape, x.dtype), (y.shape, y.dtype)), shapes, part)
    joined = built.join(parts)
    jax.tree.map(np.testing.assert_array_equal, joined, fresh)
    returned = jax.eval_shape(built.epoch, *fresh)[:2]
    for x, y in zip(jax.tree.leaves(fresh), jax.tree.leaves(returned), strict=True):
        assert (x.shape, x.dtype, x.weak_type) == (y.shape, y.dtype, y.weak_type)
    for x, y in zip(jax.tree.leaves(fresh), jax.tree.leaves(joined), strict=True):
        assert x.sharding == y.sharding


def test_only_seed_limits_and_numbers_may_differ() -> None:
    assert population.shape(trial(3, kl_estep=0.5, cost_limit=1.0)) == population.shape(CONFIG)
    named = [
        trial(0, constraints=dict(limits))
        for limits in ({"cost_a": 1, "cost_b": 2}, {"cost_a": 3, "cost_b": 4}, {"cost_b": 3, "cost_a": 4})
    ]
    assert population.shape(named[0]) == population.shape(named[1]) != population.shape(named[2])
    for options in ({"samples": 8}, {"hidden": (8, 8)}, {"limit_mode": "paper"}, {"n_step": 3}):
        assert population.shape(trial(0, **options)) != population.shape(CONFIG)
    assert population.shape(replace(CONFIG, env=replace(CONFIG.env, num_envs=16))) != population.shape(CONFIG)
    fields = {field.name for field in dataclasses.fields(AlgoConfig)}
    assert set(roles.numbers(AlgoConfig)) <= fields


def test_environments_of_all_trials_step_as_one_vector_that_resets_only_where_an_episode_ends() -> None:
    env = population.TrialEnv(lambda num_envs: envs.vectorize(Walk(3), num_envs), 2)
    action = jax.random.uniform(jax.random.PRNGKey(1), (3, 2, 1), minval=-1)
    state = jax.jit(jax.vmap(env.reset))(jax.random.split(jax.random.PRNGKey(0), 3))
    step = jax.jit(jax.vmap(env.step))
    assert "cond[" in str(jax.make_jaxpr(step)(state, action)), "a selection would reset everything at each step"
    same = jax.jit(jax.vmap(env.step, in_axes=(0, None)))(state, action[1])
    alone, plain = jax.tree.map(lambda x: x[1], state), jax.jit(env.step)
    for time in range(4):
        state, alone = step(state, action), plain(alone, action[1])
        jax.tree.map(np.testing.assert_array_equal, jax.tree.map(lambda x: x[1], state), alone)
        assert state.info["truncation"].tolist() == [[float(time == 2)] * 2] * 3
        if time == 0:
            np.testing.assert_array_equal(same.obs[1], alone.obs)
    assert np.unique(state.obs).size == 6
