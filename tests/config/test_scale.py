"""The rule that says how much is done how often."""

from dataclasses import replace

import pytest

from cvpo_jax.config import AlgoConfig, Config, ControllerConfig, EnvConfig, TrainConfig


def test_the_default_is_what_was_tuned_on_many_environments() -> None:
    scale = Config().scale
    assert (scale.num_envs, scale.steps, scale.updates_per_step) == (512, 10_200_000, 1 / 256)
    assert (scale.warmup_steps, scale.replay_size, scale.epoch_steps) == (80_000, 1_600_000, 256_000)
    assert scale.recent_steps == 200_000
    assert (scale.quantiles, scale.layer_norm, scale.kl_estep, scale.kl_mean) == (1, False, 0.1, 0.02)
    assert (scale.unconstrained_updates, scale.integral_rate, scale.descent_rate) == (3_000, 1 / 10_000, 1 / 8_000)


def test_dear_steps_are_used_more_often() -> None:
    scale = Config(env=EnvConfig(num_envs=25), train=TrainConfig(steps=1_000_000)).scale
    assert scale.updates_per_step == 1 / 25
    assert (scale.warmup_steps, scale.replay_size, scale.epoch_steps) == (10_000, 1_000_000, 25_000)
    assert scale.recent_steps == 25_000
    assert (scale.quantiles, scale.layer_norm, scale.kl_estep, scale.kl_mean) == (16, True, 0.2, 0.05)


@pytest.mark.parametrize(("updates", "share"), [(100, 0.1), (10_000, 0.25), (20_000, 0.5), (400_000, 1.0)])
def test_a_shorter_training_comes_to_its_limit_in_the_same_share_of_it(updates, share) -> None:
    scale = Config(train=TrainConfig(steps=256 * updates, updates_per_step=1 / 256)).scale
    assert scale.unconstrained_updates == pytest.approx(3_000 * share, rel=0.05)
    assert scale.integral_rate == pytest.approx(1 / (10_000 * share), rel=0.05)
    assert scale.descent_rate == pytest.approx(1 / (8_000 * share), rel=0.05)


def test_worker_processes_are_few_and_their_steps_dear() -> None:
    scale = Config(env=EnvConfig(backend="gymnasium")).scale
    assert (scale.num_envs, scale.steps, scale.updates_per_step) == (20, 1_000_000, 1 / 20)


@pytest.mark.parametrize("num_envs", [1, 2, 3, 7, 16, 100, 512, 1000, 8192])
@pytest.mark.parametrize("steps", [100_000, 1_000_000, 3_000_000, 10_200_000, 100_000_000])
def test_any_number_of_environments_and_steps_makes_a_valid_training(num_envs, steps) -> None:
    config = Config(env=EnvConfig(num_envs=num_envs), train=TrainConfig(steps=steps)).validate()
    scale, schedule = config.scale, config.schedule()
    wanted = min(max(40_000 / steps, 1 / 256), 1 / 5)
    # Updates come whole, after whole steps of all environments.
    assert wanted / 1.51 <= scale.updates_per_step <= wanted * 1.51
    assert schedule.updates / (schedule.unroll * num_envs) == pytest.approx(scale.updates_per_step)
    assert scale.warmup_steps < scale.steps
    assert scale.recent_steps <= scale.replay_size


def test_what_is_given_stays() -> None:
    given = Config(
        env=EnvConfig(num_envs=10),
        algo=AlgoConfig(
            recent_steps=5, kl_estep=0.3, kl_mean=0.4, quantiles=2, layer_norm=False, unconstrained_updates=7
        ),
        controller=ControllerConfig(integral_rate=0.01, descent_rate=0.02),
        train=TrainConfig(
            steps=1000, updates_per_step=0.5, warmup_steps=0, replay_size=200, epoch_steps=100, devices=1
        ),
    )
    assert given.complete() == given
    longer = Config(train=TrainConfig(steps=10**8)).complete(given)
    assert longer.scale == replace(given.scale, steps=10**8), "a run that goes on keeps what it began with"
    complete = Config().complete()
    assert complete.complete() == complete
    assert complete.scale == Config().scale
    assert None not in vars(complete.scale).values()
