"""A disk that fills up at any write of a training: one line, the checkpoints before it intact, and the run goes on."""

import json
import subprocess
import sys

import fill_disk
import pytest
from faulty_disk import build_library, faulty, write_training

from cvpo_jax import cli


def check(tmp_path, first, stride):
    """Train with the disk full at every `stride`-th write; returns the steps saved by then, for each."""
    experiment, folder = write_training(tmp_path, 192), tmp_path / "runs"
    folder.mkdir()
    command = [sys.executable, fill_disk.__file__, experiment, folder, str(first), str(stride)]
    environment = faulty(build_library(tmp_path), folder)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    *failed, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert (last["status"], last["told"], last["different"]) == (0, "", [])
    assert last["writes"] < last["number"], "a write that failed went unnoticed"
    for found in failed:
        assert found["status"] == cli.WRONG, found
        assert found["told"].count("\n") == 1 and "No space left on device" in found["told"], found
        assert str(folder) in found["told"], found
        assert (found["resumed"], found["error"], found["different"]) == (0, "", []), found
    return [found["saved"] for found in failed]


def test_a_full_disk_loses_nothing(tmp_path):
    saved = check(tmp_path, 3, 90)
    assert {tuple(steps) for steps in saved} == {(), (128,)}


@pytest.mark.slow
def test_whichever_write_comes_upon_it(tmp_path):
    saved = check(tmp_path, 1, 1)
    assert len(saved) > 200
    # TensorBoard's and TensorStore's writes vary by some ten in number, so that the last four, of the learning curve
    # after the last checkpoint, may be skipped.
    assert {(), (128,)} <= {tuple(steps) for steps in saved} <= {(), (128,), (128, 192)}
