"""The parity tool on short recordings of the genuine environment: its bounds, its output, its errors."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest
from recordings import RECORDINGS, below

from envs.parity.compare import compare, main


def test_point_among_buttons_and_gremlins_in_double_precision():
    with jax.enable_x64(True):
        result = compare(RECORDINGS / "PointButton1.npz")
    assert result["steps"]["contact"] >= 25 and result["steps"]["free"] > 100
    for sort in ("free", "near", "contact"):
        below(result, sort, "max", xy=1e-12, yaw=1e-12, velocity=1e-11, yaw_rate=1e-9, accelerometer=1e-8)
    below(result, "all", "max", sensors_at_the_state=1e-10, lidars_at_the_state=1e-10)
    assert set(result["mismatches"].values()) == {0}


def test_car_on_the_floor_in_single_precision():
    result = compare(RECORDINGS / "CarCircle1.npz")
    below(result, "free", "p99", xy=5e-6, ballangvel=1e-4, ball_matrix=5e-6)
    below(result, "all", "max", sensors_at_the_state=1e-4)
    below(result, "free", "max", reward=1e-4)  # a first step after a reset is not reproducible, nor is its reward
    assert result["mismatches"]["cost"] == result["mismatches"]["cost_out_of_boundary"] == 0


@pytest.mark.slow
def test_point_and_a_vase_in_single_precision(capsys: pytest.CaptureFixture):
    assert main([str(RECORDINGS / "PointGoal1.npz"), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    below(result, "contact", "median", xy=5e-6)
    below(result, "contact", "p90", xy=5e-5)
    below(result, "contact", "max", xy=3e-3)


def test_a_file_that_is_no_recording_is_named(tmp_path: Path, capsys: pytest.CaptureFixture):
    path = tmp_path / "other.npz"
    np.savez(path, a=np.zeros(3))
    assert main([str(path)]) == 2
    assert str(path) in capsys.readouterr().err
