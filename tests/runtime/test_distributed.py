"""Two real processes on one machine: they train as one, go on elsewhere, and end when one of them is lost."""

import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from cvpo_jax import ConfigError
from cvpo_jax.runs.directory import load_config
from cvpo_jax.runs.metrics import read_metrics
from cvpo_jax.runs.policy import load_state
from cvpo_jax.runtime import distributed

PATIENCE = 600.0
TOY = """
import sys

from toy import Bandit

from cvpo_jax import AlgoConfig, Config, EnvConfig, EvalConfig, TrainConfig
from cvpo_jax.training import trainer

trainer.make_env = lambda config, num_envs, **_: Bandit(num_envs)


def get_config():
    return Config(
        env=EnvConfig(num_envs=8),
        algo=AlgoConfig(hidden=(8,), batch_size=16, samples=4, n_step=2, cost_limit=6.0),
        train=TrainConfig(steps=150, epoch_steps=64, warmup_steps=64, updates_per_step=1 / 16, replay_size=256),
        eval=EvalConfig(episodes=4, every=1),
    )
"""


@pytest.fixture
def experiment(tmp_path):
    path = tmp_path / "two_processes.py"
    path.write_text(TOY)
    return path


def start(*arguments, processes=2, devices_each=1):
    """Start processes that train together; one alone knows of no others."""
    words = ["-m", "cvpo_jax.run", *map(str, arguments)]
    return launch(words + ["--distributed"] * (processes > 1), told(processes), devices_each)


def launch(words, places, devices_each=1):
    """A Python process for each of `places`: variables that tell it of the others."""
    # Of a flag that is given twice, the last one counts.
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices_each}"
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return [
        subprocess.Popen([sys.executable, *words], env=os.environ | {"XLA_FLAGS": flags} | place, **streams)
        for place in places
    ]


def told(processes):
    """The variables that `--distributed` reads, on the loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    together = {distributed.COORDINATOR: address, distributed.NUM_PROCESSES: str(processes)}
    return [together | {distributed.PROCESS_ID: str(index)} for index in range(processes)]


def as_srun(processes):
    """The variables of each task of a Slurm step; JAX derives the port from the job's number."""
    job = {
        "SLURM_JOB_ID": str(4096 + os.getpid() % 4096),
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_NTASKS": str(processes),
        "SLURM_STEP_NUM_TASKS": str(processes),
    }
    return [job | {"SLURM_PROCID": str(index), "SLURM_LOCALID": str(index)} for index in range(processes)]


def finish(processes, patience=PATIENCE):
    """Wait for all; returns status, output and errors of each."""
    try:
        outputs = [process.communicate(timeout=patience) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [(process.returncode, *output) for process, output in zip(processes, outputs, strict=True)]


@pytest.mark.slow
def test_two_processes_train_as_one_and_the_run_goes_on_on_four_devices_of_one(experiment, tmp_path):
    run_dir = tmp_path / "run"
    (first, out, err), (second, other_out, other_err) = finish(start(experiment, "--run_dir", run_dir))
    assert (first, second) == (0, 0), err + other_err
    assert "learning curve" in out
    assert "step" in out and "step" not in other_out, "only the first process reports"
    assert [row["step"] for row in read_metrics(run_dir)] == [128, 192]
    assert load_config(run_dir).train.devices == 2
    assert int(load_state(run_dir).updates) == 8

    ((status, _, err),) = finish(
        start("--resume", run_dir, experiment, "--train.steps", 200, "--train.devices", 4, processes=1, devices_each=4)
    )
    assert status == 0, err
    assert [row["step"] for row in read_metrics(run_dir)] == [128, 192, 256]
    (first, _, err), (second, _, _) = finish(start("--resume", run_dir, experiment, "--train.steps", 300))
    assert (first, second) == (0, 0), err
    assert [row["step"] for row in read_metrics(run_dir)] == [128, 192, 256, 320]
    assert load_config(run_dir).train.devices == 2


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_when_a_process_is_killed_the_other_ends_within_a_minute(victim, experiment, tmp_path):
    run_dir = tmp_path / "run"
    processes = start(experiment, "--run_dir", run_dir, "--train.steps", 10**8)
    deadline = time.monotonic() + PATIENCE
    while not read_metrics(run_dir) and time.monotonic() < deadline and processes[0].poll() is None:
        time.sleep(0.2)
    processes[victim].send_signal(signal.SIGKILL)
    begin = time.monotonic()
    status, _, err = finish(processes, patience=60)[1 - victim]
    assert time.monotonic() - begin < 60
    assert status != 0
    assert "gone" in err or "distributed service" in err


MEETING = """
import numpy as np

from cvpo_jax import ConfigError
from cvpo_jax.runtime import distributed, launcher

assert launcher.launched_together()
distributed.join()
distributed.require_same("the same")
print(distributed.index(), distributed.size(), distributed.gather(np.array([distributed.index()])))
try:
    distributed.require_same(f"seed {distributed.index()}")
except ConfigError as error:
    print(error)
"""


def test_tasks_of_a_slurm_step_find_each_other_and_notice_where_their_options_differ():
    for index, (status, out, err) in enumerate(finish(launch(["-c", MEETING], as_srun(2)))):
        assert status == 0, err
        met, complaint = out.splitlines()[-2:]  # Gloo has its say before
        assert met == f"{index} 2 [0 1]"
        assert "different options" in complaint


def test_alone_a_process_agrees_with_itself():
    assert distributed.is_first()
    assert distributed.any_process(True) and not distributed.any_process(False)
    distributed.require_same("anything")
    share = np.arange(6).reshape(3, 2)
    np.testing.assert_array_equal(distributed.gather(share), share)
    np.testing.assert_array_equal(distributed.local_part(share), share)


def test_without_a_cluster_the_remedy_is_told(monkeypatch):
    monkeypatch.setenv(distributed.NUM_PROCESSES, "many")
    with pytest.raises(ConfigError, match=f"--distributed: .*{distributed.COORDINATOR}"):
        distributed.join()
