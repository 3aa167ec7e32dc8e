"""A training killed twenty times, in the middle of writes and at any other moment, ends as one never stopped."""

import os
import random
import subprocess
import sys
import time

import pytest
from faulty_disk import build_library, faulty, write_training
from stored_run import differences

from cvpo_jax import cli, run

KILLS = 20
BEGINNING = 15
"""Writes in which a session makes its configuration, sizes, metrics and lock."""
EPOCH = 160
"""About the writes of an epoch: an evaluation and a checkpoint."""


def session(arguments, environment, delay=None):
    """Train in a process of its own, killed `delay` seconds after it began to train; returns its exit status."""
    command = [sys.executable, "-m", "cvpo_jax.run", *map(str, arguments)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if delay is not None:
        for line in process.stdout:
            if "results go to" in line or "going on with" in line:
                break
        time.sleep(delay)
        process.kill()
    _, err = process.communicate(timeout=600)
    assert process.returncode in (0, -9), err
    return process.returncode


@pytest.mark.slow
def test_twenty_kills_lose_nothing(tmp_path):
    experiment, folder = write_training(tmp_path, 64 * 120), tmp_path / "runs"
    straight, run_dir = folder / "straight", folder / "run"
    assert cli.main(run.command, [str(experiment), "--run_dir", str(straight)]) == 0
    library, chance = build_library(tmp_path), random.Random(0)
    drafts = torn = 0
    for number in range(KILLS):
        begun = any(path.name.isdigit() for path in (run_dir / "checkpoints").glob("*"))
        arguments = ["--resume", run_dir] if begun else [experiment, "--run_dir", run_dir]
        writes = chance.randint(1, BEGINNING) if number % 4 == 0 else chance.randint(BEGINNING, 3 * EPOCH)
        killed = {"FAULTS_KIND": "kill", "FAULTS_AT": str(writes)}
        if number % 2:
            status = session(arguments, os.environ, chance.uniform(0, 4))
        else:
            status = session(arguments, faulty(library, folder, **killed))
        assert status == -9, "it was done before it was killed"
        drafts += any(run_dir.glob(".config.json.*")) or any(run_dir.glob(".sizes.json.*"))
        torn += any(run_dir.glob("checkpoints/*.orbax-checkpoint-tmp*"))
    assert drafts and torn, "no kill came in the middle of a write"
    assert session(["--resume", run_dir], os.environ) == 0
    assert differences(straight, run_dir) == []
