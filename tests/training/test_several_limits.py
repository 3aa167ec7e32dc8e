"""Trainings at several limits beside each other and on several devices."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from toy import Bandit

from cvpo_jax import AlgoConfig, Config, ConfigError, EnvConfig, EvalConfig, TrainConfig
from cvpo_jax.experience.limit_input import LimitInput
from cvpo_jax.runtime import devices
from cvpo_jax.training import population, trainer
from cvpo_jax.training.epoch import make_draw

pytestmark = pytest.mark.xdist_group("toys at several limits")

LIMITS = (4.0, 12.0)
CONFIG = Config(
    env=EnvConfig(num_envs=16),
    algo=AlgoConfig(hidden=(8,), batch_size=17, samples=4, n_step=2, recent_steps=64, limits=LIMITS),
    train=TrainConfig(epoch_steps=128, warmup_steps=128, updates_per_step=1 / 32, replay_size=512, devices=1),
    eval=EvalConfig(episodes=4),
)


def make_env(config, num_envs, **_):
    return LimitInput(Bandit(num_envs), config.algo.limits)


@pytest.fixture(scope="module", autouse=True)
def toys():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "make_env", make_env)
        yield


def algorithm(name: str, **options) -> AlgoConfig:
    """SAC-Lagrangian samples no actions."""
    return replace(CONFIG.algo, name=name, **({} if name == "cvpo" else {"samples": AlgoConfig.samples}) | options)


def trial(seed: int, name: str) -> Config:
    return replace(CONFIG, algo=algorithm(name), train=replace(CONFIG.train, seed=seed))


def trained(built: trainer.Trainer) -> tuple:
    """Parts, metrics and evaluations of all trials after the warm-up and one epoch of four updates."""
    state, collector = built.fresh()
    state, collector, _ = built.warmup(state, collector)
    state, collector, metrics = jax.block_until_ready(built.epoch(state, collector))
    keys = [jax.random.PRNGKey(config.train.seed) for config in built.configs]
    return list(built.split(state, collector)), built.rows_of(metrics), built.evaluations(state, keys)


@pytest.mark.parametrize("name", [pytest.param("cvpo", marks=pytest.mark.slow), "sac_lag"])
def test_a_trial_of_a_population_is_what_it_is_alone(name) -> None:
    trials = [trial(seed, name) for seed in range(3)]
    parts, all_rows, all_evaluations = trained(population.build(trials, devices.select(2)))
    alone, rows, evaluations = trained(trainer.build(trials[1]))
    wanted = jax.tree_util.tree_leaves_with_path(alone[0])
    for (path, x), y in zip(wanted, jax.tree.leaves(parts[1]), strict=True):
        np.testing.assert_allclose(y, x, rtol=1e-4, atol=1e-5, err_msg=jax.tree_util.keystr(path))
    for metric, value in rows[0].items():
        np.testing.assert_allclose(all_rows[1][metric], value, rtol=1e-3, atol=1e-4, err_msg=metric)
    np.testing.assert_allclose(all_evaluations[1].returns, evaluations[0].returns, atol=1e-3)
    assert evaluations[0].returns.shape == (8,), "each limit has as many episodes"


def test_the_limits_themselves_are_in_the_program() -> None:
    one, other = (replace(CONFIG, algo=replace(CONFIG.algo, limits=limits)) for limits in (LIMITS, (1.0, 2.0)))
    assert population.shape(one) != population.shape(other)
    assert population.shape(one) == population.shape(trial(5, "cvpo"))


@pytest.mark.parametrize("name", ["cvpo", pytest.param("sac_lag", marks=pytest.mark.slow)])
def test_replicas_on_two_devices_stay_bit_identical(name) -> None:
    built = trainer.build(
        replace(trial(0, name), train=replace(CONFIG.train, devices=2), algo=algorithm(name, batch_size=18))
    )
    state, collector = built.fresh()
    state, collector, _ = built.warmup(state, collector)
    for _ in range(2):
        state, collector, metrics = jax.block_until_ready(built.epoch(state, collector))
    assert devices.all_equal(state)
    assert float(metrics["update/skipped"][0]) == 0
    assert state.duals.lam.shape == (2, 2, 1)
    features = np.asarray(collector.replay.data.observation[:, 0, :, -1])
    np.testing.assert_array_equal(features, np.tile(np.log1p(np.float32(LIMITS)), (2, 4)))


def test_each_device_draws_as_many_states_for_each_limit() -> None:
    built = trainer.build(
        replace(CONFIG, train=replace(CONFIG.train, devices=2), algo=algorithm("cvpo", batch_size=18))
    )
    _, collector = built.fresh()
    draw = make_draw(built.config, 2)
    batch = draw(devices.first(collector).replay, jax.random.PRNGKey(0), gamma=np.float32(0.9))
    assert len(batch.reward) == 8, "of 9 the most that two limits share"


def test_environments_that_cannot_be_shared_are_refused_before_anything_is_compiled() -> None:
    train = replace(CONFIG.train, devices=2, updates_per_step=1 / 16)
    config = replace(CONFIG, env=EnvConfig(num_envs=8), algo=algorithm("cvpo", batch_size=18), train=train)
    with pytest.raises(ConfigError, match=r"--env\.num_envs is 8: 4 on each of 2 devices.*a multiple of 16"):
        trainer.build(config)
    with pytest.raises(ConfigError, match=r"--env\.num_envs is 4: 4, 2 that act by a mean"):
        population.build([replace(config, env=EnvConfig(num_envs=4))], devices.select(1))
