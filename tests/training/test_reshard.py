"""Collections spread over other numbers of devices: nothing is lost, mixed up or repeated."""

from dataclasses import replace
from functools import partial

import jax
import numpy as np
import pytest
from toy import Bandit
from toy_trainings import use_toys

from cvpo_jax import AlgoConfig, Config, ConfigError, EnvConfig, EvalConfig, TrainConfig
from cvpo_jax.experience import rollout
from cvpo_jax.runs.directory import load_config
from cvpo_jax.runs.metrics import read_metrics
from cvpo_jax.runs.policy import load_state
from cvpo_jax.training.reshard import reshard
from cvpo_jax.training.train import train

NUM_ENVS, ROWS = 12, 5


@pytest.fixture(scope="module")
def collector():
    """Collections of two devices with six environments each, where every number tells its place."""
    start = jax.jit(jax.vmap(partial(rollout.start, Bandit(NUM_ENVS // 2), ROWS)))
    made = jax.tree.map(np.array, start(jax.random.split(jax.random.PRNGKey(0), 2)))
    made.replay.data.reward[...] = np.arange(2 * ROWS * 6).reshape(2, ROWS, 6)
    made.replay.data.cost[...] = 1000 + made.replay.data.reward[..., None]
    made.env_state.obs[...] = np.arange(NUM_ENVS).reshape(2, 6, 1)
    made.episode.reward[...] = 10 * np.arange(NUM_ENVS).reshape(2, 6)
    return made.replace(replay=made.replay.replace(position=np.full(2, 3, np.int32), size=np.full(2, 4, np.int32)))


def by_environment(stored):
    """The rewards of each environment, `[N, S]`, in order."""
    return np.concatenate([np.asarray(share).T for share in stored])


@pytest.mark.parametrize("count", [1, 3, 4])
def test_every_environment_keeps_its_state_and_its_steps(count, collector):
    spread = reshard(collector, count)
    assert {x.shape[0] for x in jax.tree.leaves(spread)} == {count}
    np.testing.assert_array_equal(
        by_environment(spread.replay.data.reward), by_environment(collector.replay.data.reward)
    )
    np.testing.assert_array_equal(spread.replay.data.cost[..., 0], 1000 + spread.replay.data.reward)
    np.testing.assert_array_equal(np.ravel(spread.env_state.obs[..., 0]), np.arange(NUM_ENVS))
    np.testing.assert_array_equal(np.ravel(spread.episode.reward), 10 * np.arange(NUM_ENVS))
    assert (spread.replay.position.tolist(), spread.replay.size.tolist()) == ([3] * count, [4] * count)
    assert len(np.unique(spread.key, axis=0)) == count
    back = reshard(spread, 2)
    for name in ("env_state", "replay", "episode"):
        jax.tree.map(np.testing.assert_array_equal, getattr(back, name), getattr(collector, name))


def test_the_same_number_changes_nothing(collector):
    assert reshard(collector, 2) is collector


def test_what_cannot_be_shared_is_told(collector):
    with pytest.raises(ConfigError, match="12 environments cannot be shared equally by 5"):
        reshard(collector, 5)
    odd = collector.replace(env_state=collector.env_state.replace(metrics={"pool": np.zeros((2, 1))}))
    with pytest.raises(ConfigError, match="stay on the devices"):
        reshard(odd, 4)


@pytest.mark.xdist_group("toys")
def test_a_run_goes_on_on_more_devices_than_it_began_on(tmp_path, monkeypatch):
    use_toys(monkeypatch)
    config = Config(
        env=EnvConfig(num_envs=8),
        # As in test_population, whose compiled program for one device serves here.
        algo=AlgoConfig(hidden=(8,), batch_size=16, samples=4, n_step=2, recent_steps=64, cost_limit=6.0),
        train=TrainConfig(
            steps=100, epoch_steps=64, warmup_steps=64, updates_per_step=1 / 16, replay_size=256, devices=1
        ),
        eval=EvalConfig(episodes=4, every=1),
        run_dir=str(tmp_path / "run"),
    )
    run_dir = train(config)
    before = load_state(run_dir)
    train(replace(config, train=replace(config.train, devices=2, steps=150)), resume=run_dir)
    assert [row["step"] for row in read_metrics(run_dir)] == [128, 192]
    assert load_config(run_dir).train.devices == 2
    after = load_state(run_dir)
    assert (int(before.updates), int(after.updates)) == (4, 8)
    moved = jax.tree.map(lambda x, y: np.abs(x - y).max(), before.critics, after.critics)
    assert 0 < max(jax.tree.leaves(moved)) < 0.1, "the networks go on from where they were"
