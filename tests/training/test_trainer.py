"""What a configuration is built into: environments, sizes, shares of the devices, and what an epoch does."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from toy import Bandit

from cvpo_jax import AlgoConfig, Config, ConfigError, EnvConfig, TrainConfig
from cvpo_jax.runtime import memory
from cvpo_jax.training import trainer
from cvpo_jax.training.epoch import make_draw

CONFIG = Config(
    env=EnvConfig(num_envs=16),
    algo=AlgoConfig(hidden=(8,), batch_size=32, samples=4, n_step=2, recent_steps=64, recent_share=1.0),
    train=TrainConfig(epoch_steps=130, warmup_steps=50, updates_per_step=1 / 8, replay_size=350, devices=1),
)


def changed(section: str, **options) -> Config:
    return replace(CONFIG, **{section: replace(getattr(CONFIG, section), **options)})


@pytest.fixture(scope="module")
def built():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "make_env", lambda config, num_envs, **_: Bandit(num_envs))
        yield trainer.build(CONFIG)


def test_the_environment_is_made_as_configured() -> None:
    options = EnvConfig(id="SafetyPointButton1-v0", episode_length=77, layout="fixed")
    config = replace(CONFIG, env=options, algo=AlgoConfig(constraints={"cost_gremlins": 3.0, "cost_buttons": 2.0}))
    env = trainer.make_env(config, 3)
    assert (env.num_envs, env.episode_length, env.num_constraints) == (3, 77, 2)
    reset = jax.jit(env.reset)
    first, second = (reset(jax.random.PRNGKey(seed)) for seed in (0, 1))
    np.testing.assert_array_equal(first.obs, second.obs, err_msg="a fixed layout is the same under every key")


@pytest.mark.parametrize(
    ("section", "options", "said"),
    [
        ("env", {"id": "SafetyPointLava1-v0"}, "--env.id SafetyPointLava1-v0 --env.backend brax"),
        ("algo", {"constraints": {"cost_lava": 3.0}}, "cost_lava"),
    ],
)
def test_an_environment_that_does_not_exist_is_told(section, options, said) -> None:
    with pytest.raises(ConfigError, match=said):
        trainer.make_env(changed(section, **options), 1)


@pytest.mark.parametrize(("section", "name"), [("env", "num_envs"), ("algo", "batch_size")])
def test_what_the_devices_cannot_share_is_told(section, name) -> None:
    config = changed(section, **{name: 18})
    rate = 2 / config.env.num_envs
    config = replace(config, train=replace(CONFIG.train, devices=4, updates_per_step=rate, replay_size=400))
    with pytest.raises(ConfigError, match=rf"--{section}\.{name} is 18: .*multiple of the 4 devices"):
        trainer.build(config)


def test_a_replay_that_cannot_fit_is_refused_before_any_work(monkeypatch) -> None:
    monkeypatch.setattr(trainer, "make_env", lambda config, num_envs, **_: Bandit(num_envs))
    monkeypatch.setattr(memory, "device_bytes", lambda chosen: 10**9)
    with pytest.raises(ConfigError, match=r"--train\.replay_size is 1,000,000,000: it takes .* GB .* lower it to"):
        trainer.build(changed("train", replay_size=10**9))


def test_the_replay_takes_as_much_as_is_said(built) -> None:
    _, collector = jax.eval_shape(built.fresh)
    held = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(collector.replay.data))
    assert held == memory.replay_bytes(built.env, built.rows * 16)


def test_sizes_follow_from_the_schedule(built) -> None:
    # 1/8 update a step of 16 environments: 2 updates after each step of all; 130 steps round to 8 of these.
    assert (built.schedule.unroll, built.schedule.updates, built.schedule.iterations) == (1, 2, 8)
    assert (built.epoch_steps, built.epoch_updates) == (128, 16)
    assert (built.warmup_steps, built.rows) == (64, 21)


def test_an_epoch_steps_stores_and_updates_as_it_says(built) -> None:
    state, collector = built.start(jax.random.PRNGKey(0))
    assert collector.replay.data.reward.shape == (1, built.rows, 16)
    state, collector, metrics = built.warmup(state, collector)
    assert int(state.env_steps.lo[0]) == built.warmup_steps
    assert int(collector.replay.size[0]) == 4
    assert metrics["nonfinite"] == 0
    critic_before = jax.device_get(state.critics)
    state, collector, metrics = built.epoch(state, collector)
    assert int(state.env_steps.lo[0]) == built.warmup_steps + built.epoch_steps
    assert int(state.updates.lo[0]) == built.epoch_updates
    assert int(collector.replay.size[0]) == 4 + 8
    moved = jax.tree.map(lambda x, y: np.abs(x - y).max(), critic_before, jax.device_get(state.critics))
    assert max(jax.tree.leaves(moved)) > 0
    assert all(value.shape == (1,) for value in metrics.values())
    # 12 steps of episodes of 20: none has ended.
    assert metrics["train/episodes"] == 0


def test_a_device_draws_its_share_of_the_batch_from_the_recent_rows(built) -> None:
    _, collector = built.start(jax.random.PRNGKey(0))
    stored = jax.tree.map(lambda x: np.array(x[0]), collector.replay)
    stored.data.observation[:, :, 0] = np.arange(built.rows)[:, None]
    stored = stored.replace(position=np.int32(0), size=np.int32(built.rows))
    batch = make_draw(CONFIG, 2)(stored, jax.random.PRNGKey(1), gamma=np.float32(0.9))
    assert batch.observation.shape == (16, 2)
    # recent_steps of 64 are the newest four steps of 16 environments.
    newest = set(np.unique(batch.policy_observation[:, 0]))
    assert newest <= {17.0, 18.0, 19.0, 20.0}
    assert len(newest) > 1
    assert np.unique(batch.observation[:, 0]).size > 4


def test_what_evaluates_can_be_compiled_before_it_is_called(built, monkeypatch) -> None:
    state, _ = built.fresh()
    keys = [jax.random.PRNGKey(0)]
    built.compile_evaluation(built.evaluation_arguments(state, keys))
    compiled = []
    monkeypatch.setattr(jax._src.compiler, "compile_or_get_cached", lambda *_, **__: compiled.append(1))
    (result,) = built.evaluations(state, keys)
    assert not compiled and result.returns.shape == (built.config.eval.episodes,)
