"""Train with a disk that fills up at chosen writes: `fill_disk.py EXPERIMENT FOLDER FIRST STRIDE`, with faulty_disk.c.

The experiment is trained once undisturbed, then with the disk full from write FIRST on, FIRST + STRIDE, and so on until
it is trained without coming to that many, and then each time resumed, or started again, with room on the disk. Prints
a line of JSON for each. All in one process, with what is compiled kept, so that each takes about a second.
"""

import contextlib
import ctypes
import dataclasses
import io
import itertools
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from stored_run import differences

from cvpo_jax import cli, run
from cvpo_jax.training import train, trainer

disk = ctypes.CDLL(None)
compiled = {}


def build(config):
    """`trainer.build`, once for all runs of one experiment."""
    key = dataclasses.replace(config, run_dir=None).to_json()
    compiled[key] = compiled.get(key) or trainer.build(config)
    return dataclasses.replace(compiled[key], config=config)


def command(*arguments, fail_at=0):
    """Exit status of `run`, what the process, C++ included, wrote to its standard error, and the number of writes."""
    with tempfile.TemporaryFile("w+") as told:
        sys.stderr.flush()
        usual = os.dup(2)
        os.dup2(told.fileno(), 2)
        disk.faults_arm(fail_at)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                status = cli.main(run.command, [str(word) for word in arguments])
        finally:
            writes = disk.faults_seen()
            disk.faults_arm(0)
            sys.stderr.flush()
            os.dup2(usual, 2)
            os.close(usual)
        told.seek(0)
        return status, told.read(), writes


def saved(run_dir):
    """Steps of the checkpoints that are whole."""
    return sorted(int(path.name) for path in (run_dir / "checkpoints").glob("*") if path.name.isdigit())


def train_on_full_disk(experiment, straight, run_dir, number):
    """Train until the disk is full at write `number`, make room and go on; returns what came of it."""
    status, told, writes = command(experiment, "--run_dir", run_dir, fail_at=number)
    kept = saved(run_dir)
    finished = kept[-1:] == saved(straight)[-1:]
    again = ["--resume", run_dir] if kept else [experiment, "--run_dir", run_dir]
    resumed, error, _ = (0, "", 0) if finished else command(*again)
    trainer = next(iter(compiled.values()))
    return {
        "number": number,
        "writes": writes,
        "status": status,
        "told": told,
        "saved": kept,
        "resumed": resumed,
        "error": error,
        "different": [] if resumed else differences(straight, run_dir, trainer),
    }


def main(experiment, folder, first, stride):
    """Try every write, as the module says."""
    train.build = build
    folder = Path(folder)
    straight = folder / "straight"
    # Here a busy machine may be told that it compiles slowly; later runs find everything compiled.
    status, told, _ = command(experiment, "--run_dir", straight)
    assert status == 0, told
    for number in itertools.count(int(first), int(stride)):
        run_dir = folder / "run"
        found = train_on_full_disk(experiment, straight, run_dir, number)
        print(json.dumps(found), flush=True)
        if found["status"] == 0:
            return
        shutil.rmtree(run_dir, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
