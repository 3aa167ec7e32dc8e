"""Options: what is refused and in which words, the schedule, and JSON there and back."""

import dataclasses
import json

import pytest

from cvpo_jax import AlgoConfig, Config, ConfigError, EnvConfig, EvalConfig, TrainConfig
from cvpo_jax.config import algo


def refused(config):
    with pytest.raises(ConfigError) as raised:
        config.validate()
    message = str(raised.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("env", "num_envs", 0),
        ("env", "episode_length", -1),
        ("algo", "gamma", 1.0),
        ("algo", "samples", 0),
        ("algo", "kl_estep", -0.1),
        ("algo", "target_rate", 1.5),
        ("algo", "hidden", ()),
        ("algo", "recent_share", 2.0),
        ("algo", "unconstrained_updates", -1),
        ("algo", "cost_limit", -3.0),
        ("algo", "cost_limit", float("nan")),
        ("train", "steps", 0),
        ("train", "warmup_steps", -5),
        ("train", "max_minutes", -1.0),
        ("train", "devices", -2),
        ("train", "devices", 0),
        ("env", "hazards", -1),
        ("controller", "target_share", 1.5),
        ("controller", "descent_rate", 0.0),
        ("controller", "initial_integral", 5.0),
        ("algo", "constraints", "cost_hazards=10"),
        ("train", "replay_size", 100),
        ("eval", "episodes", 0),
        ("eval", "every", -1),
        ("algo", "cost_limit", float("inf")),
        ("algo", "gamma", 0.99999999999),
        ("algo", "kl_estep", float("inf")),
        ("algo", "actor_lr", 1e-50),
        ("algo", "batch_size", 2_000_000),
        ("algo", "hidden", (10**9,)),
        ("algo", "hidden", [16, 16]),
        ("algo", "hidden", (16.0,)),
        ("algo", "samples", 8.0),
        ("algo", "samples", True),
        ("algo", "covariance", "round"),
        ("algo", "constraints", {"cost": "much"}),
        ("algo", "normalize_observations", "yes"),
        ("env", "num_envs", 10**7),
        ("env", "hazards", 10**6),
        ("env", "hazards", 1.5),
        ("env", "id", None),
        ("env", "kwargs", {"payload": object}),
        ("train", "updates_per_step", float("inf")),
        ("train", "updates_per_step", 1e9),
        ("train", "updates_per_step", 1e-30),
        ("train", "epoch_steps", 2**31),
        ("train", "warmup_steps", 2**40),
        ("train", "seed", 2**32),
        ("train", "seed", -1),
        ("train", "max_minutes", float("nan")),
        ("eval", "episodes", 10**9),
    ],
)
def test_impossible_values_are_refused_by_name_and_value(section, name, value):
    config = Config()
    changed = dataclasses.replace(getattr(config, section), **{name: value})
    message = refused(dataclasses.replace(config, **{section: changed}))
    assert str(value) in message
    assert name in message or "limit on cost" in message


@pytest.mark.parametrize("name", algo.OF_CVPO)
def test_options_of_cvpo_alone_are_refused_with_another_algorithm(name):
    default = getattr(Config().complete().algo, name)
    changed = Config(algo=AlgoConfig(name="sac_lag", **{name: type(default)(default * 2 + 1)}))
    if "rate" in name:
        changed = Config(algo=AlgoConfig(name="sac_lag", **{name: default / 2}))
    message = refused(changed)
    assert f"--algo.{name} is" in message and "--algo.name sac_lag has no E-step" in message
    dataclasses.replace(changed, algo=dataclasses.replace(changed.algo, name="cvpo")).validate()


@pytest.mark.parametrize("steps", [10_000_000, 1_000_000])
def test_what_is_filled_in_for_another_algorithm_can_be_read_again(steps):
    """Also of a run that is resumed with another rate of updates, which keeps what it began with."""
    config = Config(algo=AlgoConfig(name="sac_lag"), train=TrainConfig(steps=steps)).complete()
    assert config.algo.kl_estep and config.algo.kl_mean
    assert Config.from_json(config.to_json()) == config
    other = dataclasses.replace(config, train=dataclasses.replace(config.train, updates_per_step=1 / 64, steps=10**7))
    other.validate().complete(config).validate()


def test_a_batch_is_no_larger_than_the_replay():
    config = Config(algo=AlgoConfig(batch_size=300), train=TrainConfig(replay_size=200), env=EnvConfig(num_envs=2))
    assert "--algo.batch_size is 300: it cannot exceed --train.replay_size, 200" in refused(config)


def test_steps_that_no_counter_of_the_program_holds_are_counted_on_the_host():
    assert Config(train=TrainConfig(steps=10**11)).validate().train.steps == 10**11


def test_more_environments_leave_updates_and_ages_as_they_are():
    config = Config().complete()
    more = config.with_envs(4 * config.scale.num_envs).validate()
    schedules = [one.schedule() for one in (config, more)]
    assert (schedules[0].updates, schedules[0].unroll) == (schedules[1].updates, schedules[1].unroll)
    assert schedules[0].iterations == schedules[1].iterations
    for name in ("steps", "warmup_steps", "replay_size", "epoch_steps"):
        assert getattr(more.train, name) == 4 * getattr(config.train, name)
    assert more.algo.recent_steps == 4 * config.algo.recent_steps
    assert more.algo.batch_size == config.algo.batch_size


def test_constraints_are_read_by_name():
    assert AlgoConfig(cost_limit=7.0).constraint_limits == {"cost": 7.0}
    several = AlgoConfig(constraints={"cost_hazards": 10.0, "cost_gremlins": 2.5})
    assert several.constraint_limits == {"cost_hazards": 10.0, "cost_gremlins": 2.5}
    assert several.cost_limits == (10.0, 2.5)


@pytest.mark.parametrize(
    ("num_envs", "updates_per_step", "unroll", "updates"),
    [(16, 1 / 16, 1, 1), (16, 1 / 64, 4, 1), (128, 1 / 64, 1, 2), (10, 0.3, 1, 3), (1, 0.2, 5, 1)],
)
def test_schedule_keeps_the_ratio_of_updates_to_steps(num_envs, updates_per_step, unroll, updates):
    train = TrainConfig(updates_per_step=updates_per_step, epoch_steps=4000, warmup_steps=1000)
    schedule = Config(env=EnvConfig(num_envs=num_envs), train=train).schedule()
    assert (schedule.unroll, schedule.updates) == (unroll, updates)
    assert schedule.iterations * unroll * num_envs == pytest.approx(4000, abs=unroll * num_envs)
    assert schedule.warmup * num_envs >= 1000


def test_a_ratio_that_cannot_be_met_names_the_one_that_can():
    message = refused(Config(env=EnvConfig(num_envs=3), train=TrainConfig(updates_per_step=0.5)))
    assert "0.5" in message
    assert "0.666667" in message


def test_warm_up_is_long_enough_for_a_first_batch():
    config = Config(algo=AlgoConfig(n_step=6), train=TrainConfig(warmup_steps=0))
    assert config.schedule().warmup == 8


def test_json_there_and_back():
    config = Config(
        env=EnvConfig(layout="fixed", episode_length=40),
        algo=AlgoConfig(hidden=(7, 5, 3), constraints={"cost_hazards": 1.0}),
        eval=EvalConfig(stochastic=True),
        run_dir="somewhere",
    )
    assert Config.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda values: values["algo"].update(momentum=0.9), r"holds algo\.momentum.*another version"),
        # Overlooking these would evaluate a policy on another task than it was trained on.
        (lambda values: values["env"].update(contacts="overlap"), r"holds env\.contacts"),
        (lambda values: values["algo"].pop("kl_estep"), r"lacks algo\.kl_estep.*another version"),
        (lambda values: values.pop("eval"), "lacks eval"),
        (lambda values: values.pop("run_dir"), "lacks run_dir"),
        (lambda values: values.update(colour=3), "holds colour"),
        (lambda values: values.update(algo=[1]), "algo is not an object"),
        (lambda values: values["algo"].update(samples="8"), r'--algo\.samples is "8": it must be a whole number'),
        (lambda values: values["algo"].update(hidden=16), r"--algo\.hidden is 16"),
        (lambda values: values["env"].update(kwargs=[1]), r"--env\.kwargs is \[1\]"),
        (lambda values: values.update(run_dir=3), "--run_dir is 3"),
    ],
)
def test_json_with_other_entries_or_types_is_refused_by_name(spoil, said):
    values = json.loads(Config().to_json())
    spoil(values)
    with pytest.raises(ConfigError, match=said):
        Config.from_json(json.dumps(values))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00", '{"env": 1}'])
def test_what_is_no_configuration_is_refused(text):
    with pytest.raises(ConfigError, match=r"config\.json (cannot be read|lacks)"):
        Config.from_json(text)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"limits": (10.0,)}, "10: give two or more, or one as --algo.cost_limit 10"),
        ({"limits": (10.0, 10.0)}, "10 10: give each limit once, in increasing order"),
        ({"limits": (10.0, 5.0)}, "10 5: give each limit once, in increasing order"),
        ({"limits": (-1.0, 5.0)}, "-1 5: the cost of an episode cannot be negative"),
        ({"limits": (5.0, float("nan"))}, "must be a list of numbers, each a finite number"),
        ({"limits": (5.0, float("inf"))}, "must be a list of numbers, each a finite number"),
        ({"limits": (5.0, 10.0), "cost_limit": 7.0}, "in place of --algo.cost_limit 7; leave that at 25"),
        ({"limits": (5.0, 10.0), "constraints": {"cost_hazards": 3.0}}, "leave out --algo.constraints"),
        ({"limits": (5.0, 10.0), "limit_mode": "paper"}, "leave out --algo.limit_mode"),
        ({"limits": (1.0, 2.0, 3.0), "batch_size": 2}, "--algo.batch_size is 2: each of 3 --algo.limits"),
    ],
)
def test_limits_that_one_training_cannot_be_held_to_are_refused(options, said):
    message = refused(Config(algo=AlgoConfig(**options)))
    assert "--algo.limits" in message and said in message


@pytest.mark.parametrize("limits", [(5.0, 10.0), (1.0, 2.0, 3.0), (5.0, 10.0, 25.0, 50.0), tuple(map(float, range(7)))])
@pytest.mark.parametrize("backend", ["brax", "gymnasium"])
def test_by_default_limits_share_the_environments_equally(limits, backend):
    config = Config(env=EnvConfig(backend=backend), algo=AlgoConfig(limits=limits)).validate()
    num_envs, usual = config.scale.num_envs, Config(env=EnvConfig(backend=backend)).scale.num_envs
    assert num_envs % (4 * len(limits)) == 0 and 0.5 < num_envs / usual < 2
    assert backend == "gymnasium" or len(limits) in (3, 7) or num_envs == usual
    assert Config.from_json(config.to_json()) == config
