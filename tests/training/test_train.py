"""The training loop on an environment that goes wrong, and on several devices."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy import Bandit

from cvpo_jax import AlgoConfig, Config, EnvConfig, EvalConfig, TrainConfig
from cvpo_jax.runs.metrics import read_metrics
from cvpo_jax.runs.policy import load_state
from cvpo_jax.runtime import devices
from cvpo_jax.training import trainer
from cvpo_jax.training.train import TrainingError, train

CONFIG = Config(
    env=EnvConfig(num_envs=16),
    algo=AlgoConfig(hidden=(16,), batch_size=32, samples=8, cost_limit=6.0),
    train=TrainConfig(steps=3000, epoch_steps=512, warmup_steps=200, updates_per_step=1 / 16, replay_size=2000),
    eval=EvalConfig(episodes=8, every=1),
)


class Failing(Bandit):
    """A bandit whose observations are NaN from step `first` of training on."""

    first = 13 + 2 * 32

    def reset(self, key):
        state = super().reset(key)
        return state.replace(info=state.info | {"age": jnp.zeros(self.num_envs)})

    def step(self, state, action):
        age = state.info["age"] + 1
        stepped = super().step(state, action)
        obs = jnp.where(age[:, None] >= self.first, jnp.nan, stepped.obs)
        return stepped.replace(obs=obs, info=stepped.info | {"age": age})


def test_a_number_that_is_not_finite_stops_training_before_it_is_saved(tmp_path, monkeypatch):
    """Even if it came of an epoch's last step, and nobody has acted on it yet."""
    monkeypatch.setattr(trainer, "make_env", lambda config, num_envs, **_: Failing(num_envs))
    algo = replace(CONFIG.algo, name="sac_lag", samples=AlgoConfig.samples)  # which compiles sooner
    config = replace(CONFIG, algo=algo, train=replace(CONFIG.train, devices=1), run_dir=str(tmp_path / "run"))
    fault = r"environment is at fault: observation\[0\] of environment 0 was nan at step 1,232;.* ended at step 1,232"
    with pytest.raises(TrainingError, match=rf"{fault}; mend it, and --resume {tmp_path}/run: its checkpoint 720"):
        train(config)
    # The warm-up of 13 steps and the first epoch of 32 are sound, the second epoch is not.
    assert [row["step"] for row in read_metrics(tmp_path / "run")] == [720]
    state = load_state(tmp_path / "run")
    assert int(state.env_steps) == 720
    assert all(np.all(np.isfinite(x)) for x in jax.tree.leaves(state))


@cache
def bandits(count, placement=CONFIG.train.placement):
    """The trainer on so many devices, compiled once for all tests of the group."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "make_env", lambda config, num_envs, **_: Bandit(num_envs))
        return trainer.build(replace(CONFIG, train=replace(CONFIG.train, devices=count, placement=placement)))


@pytest.mark.xdist_group("bandits")
@pytest.mark.parametrize("count", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_replicas_stay_bit_identical(count):
    built = bandits(count)
    state, collector = built.start(jax.random.PRNGKey(0))
    before = jax.device_get(devices.first(state).actor)
    state, collector, _ = built.warmup(state, collector)
    for _ in range(3):
        state, collector, metrics = jax.block_until_ready(built.epoch(state, collector))
    assert state.key.shape[0] == count
    assert devices.all_equal(state)
    assert int(devices.first(state.updates)) == 3 * 32
    assert float(metrics["update/skipped"][0]) == 0
    moved = jax.tree.map(lambda x, y: np.abs(x - np.asarray(y[0])).max(), before, state.actor)
    assert max(jax.tree.leaves(moved)) > 1e-4
    actions = np.asarray(collector.replay.data.action[:, :40])
    assert not np.allclose(actions[0], actions[1]), "devices must explore differently"


@pytest.mark.xdist_group("bandits")
@pytest.mark.parametrize("count", [2, *(pytest.param(count, marks=pytest.mark.slow) for count in (1, 4))])
def test_either_placement_gives_the_same_bits(count):
    def trained(placement):
        built = bandits(count, placement)
        parts = built.warmup(*built.start(jax.random.PRNGKey(0)))[:2]
        return jax.device_get(jax.block_until_ready(built.epoch(*parts)))

    jax.tree.map(np.testing.assert_array_equal, trained("pmap"), trained("shard_map"))


@pytest.mark.xdist_group("bandits")
def test_the_epoch_is_compiled_once():
    """What an epoch returns is laid out as what it was given: anything else would compile it a second time."""
    built = bandits(2)
    state, collector = built.start(jax.random.PRNGKey(0))
    result = jax.eval_shape(built.epoch, state, collector)[:2]

    def kind(x):
        return x.shape, x.dtype, x.weak_type

    wrong = [
        jax.tree_util.keystr(path)
        for (path, given), returned in zip(
            jax.tree_util.tree_leaves_with_path((state, collector)), jax.tree.leaves(result), strict=True
        )
        if kind(given) != kind(returned)
    ]
    assert not wrong
    warm, _, _ = built.warmup(state, collector)
    fresh, _ = built.start(jax.random.PRNGKey(0))
    assert jax.tree.leaves(jax.tree.map(lambda x: x.sharding, fresh)) == jax.tree.leaves(
        jax.tree.map(lambda x: x.sharding, warm)
    )
