"""Going on with a run: bit for bit the same, extended, after Ctrl-C and after a kill; and what is refused."""

import json
import shutil
import signal
import subprocess
import sys
import time

import pytest
from stored_run import differences, everything

from cvpo_jax import cli, run
from cvpo_jax.runs.directory import load_config
from cvpo_jax.runs.metrics import read_metrics
from cvpo_jax.runs.policy import load_state

pytestmark = pytest.mark.xdist_group("tiny_run")  # compiled once, by one worker

PATIENCE = 300.0


@pytest.fixture
def copied_run(tiny_run, tmp_path):
    """A copy of the finished run that a test may change."""
    return shutil.copytree(tiny_run, tmp_path / "run")


def resume(run_dir, *overrides):
    return cli.main(run.command, ["--resume", str(run_dir), *overrides])


def test_a_resumed_run_equals_one_never_stopped(tiny_run, copied_run):
    shutil.rmtree(copied_run / "checkpoints" / "2256")
    # As a kill between the metrics and the checkpoint would leave it: the last line must not appear twice.
    assert [row["step"] for row in read_metrics(copied_run)][-1] == 2256
    assert resume(copied_run) == 0
    names = everything(tiny_run).keys()
    assert any("replay" in name for name in names)
    assert any("duals" in name for name in names)
    assert differences(tiny_run, copied_run) == []


def test_a_finished_run_is_extended_under_new_options(copied_run):
    before = read_metrics(copied_run)
    assert resume(copied_run, "--train.steps", "2700", "--algo.gamma", "0.9") == 0
    rows = read_metrics(copied_run)
    assert [row["step"] for row in rows] == [720, 1232, 1744, 2256, 2768]
    assert rows[:4] == before or json.dumps(rows[:4]) == json.dumps(before), "the past is left as it was"
    assert rows[4]["seconds"] > rows[3]["seconds"], "time goes on from the last session's"
    config = load_config(copied_run)
    assert (config.train.steps, config.algo.gamma, config.run_dir) == (2700, 0.9, str(copied_run))
    assert float(load_state(copied_run).hyperparameters.gamma) == pytest.approx(0.9)
    assert int(load_state(copied_run).updates) == 160


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ("--algo.hidden 8", ["--algo.hidden", "(8,)", "(16, 16)"]),
        ("--env.num_envs 32 --train.updates_per_step 0.03125", ["--env.num_envs", "32", "16"]),
        ("--train.replay_size 3000", ["--train.replay_size", "3000", "2000"]),
        ("--train.devices 3", ["16", "3 devices"]),
        ("--train.steps 2000", ["--train.steps", "2000", "2256"]),
    ],
)
def test_what_cannot_go_on_is_refused(overrides, said, tiny_run, capsys):
    capsys.readouterr()
    assert resume(tiny_run, *overrides.split()) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert all(word in error for word in said)


def test_a_broken_checkpoint_is_named_and_an_earlier_one_serves(copied_run, capsys):
    latest = copied_run / "checkpoints" / "2256"
    for path in (latest / "state").rglob("*"):
        if path.is_file():
            path.write_bytes(b"")
    capsys.readouterr()
    assert resume(copied_run, "--train.steps", "2700") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "2256" in error
    assert "delete that folder" in error
    shutil.rmtree(latest)
    assert int(load_state(copied_run).env_steps) == 1744


def test_a_run_without_checkpoints_says_so(copied_run, capsys):
    shutil.rmtree(copied_run / "checkpoints")
    capsys.readouterr()
    assert resume(copied_run, "--train.steps", "2700") == 2
    assert "no checkpoint" in capsys.readouterr().err


def start(*arguments):
    command = [sys.executable, "-m", "cvpo_jax.run", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_step(run_dir, step, process):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        rows = read_metrics(run_dir)
        if rows and rows[-1]["step"] > step:
            return
        time.sleep(0.05)
    process.kill()
    pytest.fail(f"no evaluation after step {step}: {process.communicate()}")


def test_ctrl_c_saves_and_a_kill_loses_only_what_came_after_the_last_checkpoint(tiny_experiment, tiny_run, tmp_path):
    run_dir = tmp_path / "run"
    # So long, and so few of the latest steps, that the program is the one that `tiny_run` left in the cache.
    longer = ("--train.steps", "80000", "--algo.recent_steps", "50")
    process = start(str(tiny_experiment), "--run_dir", str(run_dir), *longer)
    wait_for_step(run_dir, 0, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert "everything is saved" in out
    stopped = int(load_state(run_dir).env_steps)
    assert stopped == read_metrics(run_dir)[-1]["step"]

    process = start("--resume", str(run_dir))
    wait_for_step(run_dir, stopped + 3 * 512, process)
    process.kill()
    process.communicate()
    assert stopped < int(load_state(run_dir).env_steps) <= read_metrics(run_dir)[-1]["step"]
