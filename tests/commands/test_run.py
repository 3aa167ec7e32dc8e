"""The command line of training, and what a run leaves behind."""

import dataclasses
import itertools
import json
import math
import struct
import subprocess
import sys

import pytest
from tensorboardX.proto.event_pb2 import Event

from cvpo_jax import Config, cli, run
from cvpo_jax.runs.directory import load_config
from cvpo_jax.runs.metrics import read_metrics

pytestmark = pytest.mark.xdist_group("tiny_run")  # compiled once, by one worker

EPOCH_ENDS = [720, 1232, 1744, 2256]


def scalars(path):
    """(step, tag, value) of a TensorBoard file: records of length, checksum, event, checksum."""
    data, position, found = path.read_bytes(), 0, []
    while position < len(data):
        (length,) = struct.unpack_from("<Q", data, position)
        event = Event.FromString(data[position + 12 : position + 12 + length])
        found += [(event.step, value.tag, value.simple_value) for value in event.summary.value]
        position += 12 + length + 4
    return found


def test_run_directory_is_complete(tiny_run):
    names = {path.name for path in tiny_run.iterdir()} - {".lock"}
    assert names == {
        "config.json",
        "sizes.json",
        "metrics.jsonl",
        "checkpoints",
        "tensorboard",
        "learning_curve.png",
    }
    config = load_config(tiny_run)
    assert (config.env.id, config.algo.hidden, config.train.devices) == ("SafetyPointCircle1-v0", (16, 16), 1)
    assert config.run_dir == str(tiny_run)


def test_metrics_of_each_evaluation(tiny_run):
    lines = (tiny_run / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["step"] for row in rows] == EPOCH_ENDS
    assert [row["updates"] for row in rows] == [32, 64, 96, 128]
    statistics = [f"{name}_{kind}" for name in ("return", "cost") for kind in ("mean", "std", "q10", "q50", "q90")]
    duals = ["estep/eta", "estep/lam", "mstep/multiplier_mean", "mstep/multiplier_covariance"]
    kls = ["estep/kl_ratio", "mstep/kl_mean_ratio", "mstep/kl_covariance_ratio"]
    for row in rows:
        for name in [*statistics, *duals, *kls, "cost/predicted", "cost_limit", "critic/loss"]:
            assert math.isfinite(row[name]), name
        assert row["cost_over_limit"] == pytest.approx(row["cost_mean"] / 5.0)
        assert 0 <= row["cost_mean"] <= 50
    assert all(late["seconds"] > early["seconds"] for early, late in itertools.pairwise(rows))
    assert all(row["steps_per_second"] > 0 and row["updates_per_second"] > 0 for row in rows)


def test_tensorboard_shows_the_same_numbers(tiny_run):
    (path,) = (tiny_run / "tensorboard").iterdir()
    shown = {step: value for step, tag, value in scalars(path) if tag == "return_mean"}
    assert shown == pytest.approx({row["step"]: row["return_mean"] for row in read_metrics(tiny_run)}, rel=1e-6)


def test_help_lists_every_option_with_default_and_meaning(capsys):
    with pytest.raises(SystemExit) as stop:
        run.command(["--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    options = ["--run_dir", "--resume", "--log", "--distributed", "--no_distributed"]
    for section in ("env", "algo", "controller", "train", "eval"):
        options += [f"--{section}.{field.name}" for field in dataclasses.fields(getattr(Config(), section))]
    for option in [*options, "EXPERIMENT"]:
        assert option in shown
    assert shown.count("(default:") == len(options)
    assert "Discount of reward and cost. (default: 0.99)" in " ".join(shown.replace("│", "").split())


def test_help_on_an_experiment_shows_its_own_defaults(tiny_experiment, capsys):
    with pytest.raises(SystemExit):
        run.command([str(tiny_experiment), "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "Environments stepped together, over all devices; None: 512" in shown
    assert "that `algo.limits` share equally. (default: 16)" in shown


def read_config(*arguments):
    return run.make_config(cli.read_invocation(run.RunOptions, "run", arguments))


def test_overrides_are_read(tiny_experiment):
    arguments = "--algo.hidden 8 4 --train.max-minutes 2.5 --algo.normalize_observations False --env.layout fixed"
    config = read_config(str(tiny_experiment), *arguments.split())
    assert (config.algo.hidden, config.train.max_minutes, config.env.layout) == ((8, 4), 2.5, "fixed")
    assert config.algo.normalize_observations is False
    assert config.train.seed == 3, "what is not overridden is the experiment's"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("", ["name an experiment"]),
        ("missing.py", ["missing.py", "no experiment"]),
        ("TINY --algo.gama 0.9", ["--algo.gama", "--algo.gamma"]),
        ("TINY --algo.gamma much", ["--algo.gamma", "'much'"]),
        ("TINY --algo.gamma 1.5", ["--algo.gamma", "1.5", "between 0 and 1"]),
        ("TINY --algo.cost_limit -3", ["limit", "-3", "negative"]),
        ("TINY --env.layout round", ["--env.layout", "'round'", "random"]),
        ("TINY --env.id SafetyPointGaol1-v0", ["SafetyPointGaol1-v0", "SafetyPointGoal1-v0"]),
        ("TINY --algo.constraints cost_lava=3", ["cost_lava", "cost_out_of_boundary"]),
        ("TINY --train.devices 99", ["--train.devices", "99"]),
        ("TINY --train.updates_per_step 0.03", ["--train.updates_per_step", "0.03", "0.03125"]),
        ("TINY --run_dir RUN", ["RUN", "--resume"]),
        ("--resume nowhere", ["nowhere", "config.json"]),
        ("--resume", ["--resume"]),
        ("TINY --resume RUN --run_dir elsewhere", ["--run_dir", "elsewhere"]),
        ("TINY --no-distribute", ["--no-distribute", "--no_distributed"]),
        ("TINY stray", ["stray"]),
    ],
)
def test_a_mistake_is_told_in_one_line(arguments, said, tiny_experiment, tiny_run, capsys):
    places = {"TINY": str(tiny_experiment), "RUN": str(tiny_run)}
    capsys.readouterr()
    assert cli.main(run.command, [places.get(word, word) for word in arguments.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    for word in said:
        assert places.get(word, word) in err


def test_the_process_prints_nothing_else_and_exits_with_2(tiny_experiment):
    command = [sys.executable, "-m", "cvpo_jax.run", str(tiny_experiment), "--algo.gama", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "--algo.gamma" in done.stderr
