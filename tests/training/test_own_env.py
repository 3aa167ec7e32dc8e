"""A task of one's own from its name to a trained policy, by the commands a user would type."""

import dataclasses
import json

import own_compiled
import pytest
from paths import ROOT

from cvpo_jax import AlgoConfig, Config, ConfigError, EnvConfig, EvalConfig, TrainConfig, cli, evaluate, run, sweep
from cvpo_jax.runs.directory import load_config
from cvpo_jax.runs.metrics import read_metrics
from cvpo_jax.training.own_env import with_backend, with_env

SMALL = {
    "env.num_envs": 4,
    "env.episode_length": 20,
    "train.epoch_steps": 80,
    "train.warmup_steps": 40,
    "train.replay_size": 400,
    "train.updates_per_step": 0.125,
    "algo.batch_size": 16,
    "algo.name": "sac_lag",  # which compiles sooner
    "eval.episodes": 2,
    "eval.every": 1,
}


def small(**more) -> list[str]:
    words = SMALL | {name.replace("__", "."): value for name, value in more.items()}
    return [word for name, value in words.items() for word in (f"--{name}", str(value))]


def test_gymnasiums_pendulum_is_trained_evaluated_and_resumed(tmp_path, capsys, monkeypatch):
    """From another folder than the experiment's, which the run directory remembers."""
    monkeypatch.chdir(tmp_path)
    experiment = str(ROOT / "experiments" / "own" / "pendulum.py")
    options = small(train__steps=120, algo__hidden=8)
    assert cli.main(run.command, [experiment, *options, "--run_dir", "run"]) == 0, capsys.readouterr().err
    config = load_config(tmp_path / "run")
    assert (config.env.id, config.env.backend) == ("pendulum:make_pendulum", "gymnasium")
    assert config.env.folder == str(ROOT / "experiments" / "own")
    (row,) = read_metrics(tmp_path / "run")
    assert row["return_mean"] < 0 <= row["cost_mean"] <= 20
    assert cli.main(run.command, ["--resume", "run", "--train.steps", "200"]) == 0, capsys.readouterr().err
    assert len(read_metrics(tmp_path / "run")) == 2
    capsys.readouterr()
    assert cli.main(evaluate.command, ["run", "--episodes", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cost_mean"] >= 0
    assert cli.main(evaluate.command, ["run", "--backend", "brax"]) == cli.WRONG
    assert "pendulum:make_pendulum has one kind only" in capsys.readouterr().err


def test_a_compiled_environment_is_swept_as_one_population(tmp_path, capsys, monkeypatch):
    """Named on the command line, without an experiment file."""
    monkeypatch.chdir(tmp_path)
    options = small(env__id="own_compiled:Point", train__steps=120, algo__hidden=8)
    options[options.index("--env.episode_length") + 1] = "6"
    command = [*options, "--seeds", "2", "--sweep_dir", "sweep"]
    assert cli.main(sweep.command, command) == 0, capsys.readouterr().err
    said = capsys.readouterr().out
    assert "2 trial(s)" in said
    for seed in (0, 1):
        folder = tmp_path / "sweep" / f"seed={seed}"
        assert load_config(folder).env.backend == "brax"
        assert read_metrics(folder)[-1]["cost_mean"] > 0


def test_a_function_stands_for_its_name():
    config = with_env(Config(), own_compiled.Point)
    assert config.env.id == "own_compiled:Point"
    assert config.env.folder == str(ROOT / "tests" / "helpers")
    assert with_backend(config).env.backend == "brax"
    for bad in (lambda: None, own_compiled.Point()):
        with pytest.raises(ConfigError, match="at the top of a module"):
            with_env(Config(), bad)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"id": "no_such_module:Arm"}, "no_such_module"),
        ({"id": "own_compiled:Pont"}, "close to it: Point"),
        ({"id": "own_compiled:Point", "hazards": 3}, "--env.hazards is 3: with own_compiled:Point"),
        ({"kwargs": {"mass": 1.0}}, "only an environment of your own, module:Name, takes it"),
    ],
)
def test_mistakes_are_told_in_one_line(options, said):
    config = Config(env=EnvConfig(**options), algo=AlgoConfig(), train=TrainConfig(), eval=EvalConfig())
    with pytest.raises(ConfigError, match=said) as raised:
        with_backend(config.validate())
    assert "\n" not in str(raised.value)
    assert dataclasses.asdict(config)["env"]["id"] in str(raised.value) or "kwargs" in str(raised.value)
