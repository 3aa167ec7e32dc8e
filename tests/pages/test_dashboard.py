"""What a dashboard reads of run directories, whatever state they are in."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cvpo_jax import AlgoConfig, Config, EnvConfig, TrainConfig
from cvpo_jax.pages.dashboard import MOST_POINTS, Dashboard, find_runs, writer_lives


def write_run(
    folder: Path, evaluations: int, *, constraints: dict[str, float] | None = None, total: int = 1000
) -> Path:
    """A run of evaluations every 100 steps, at 10 steps/s."""
    folder.mkdir(parents=True, exist_ok=True)
    config = Config(
        env=EnvConfig(id="SafetyPointGoal1-v0"),
        algo=AlgoConfig(constraints=constraints or {}),
        train=TrainConfig(steps=total, seed=3),
    )
    (folder / "config.json").write_text(config.to_json())
    (folder / "metrics.jsonl").write_text("".join(f"{json.dumps(row(count))}\n" for count in range(1, 1 + evaluations)))
    return folder


def row(count: int) -> dict[str, float | None]:
    shared = {"step": 100 * count, "updates": 10 * count, "seconds": 10.0 * count, "steps_per_second": 10.0}
    costs = {"cost_mean": 50.0 - count, "cost_0_mean": 1.0, "cost_1_mean": 2.0, "cost/pressure": None}
    return shared | costs | {"return_mean": float(count), "cost/predicted": 30.0}


@pytest.fixture
def writer() -> int:
    """The number of a process that is no more."""
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def lock(run_dir: Path, process: int, host: str | None = None) -> None:
    (run_dir / ".lock").write_text(f"process {process} on {host or socket.gethostname()}")


def test_a_run_that_trains(tmp_path: Path) -> None:
    run_dir = write_run(tmp_path / "deep" / "down" / "goal", 4)
    lock(run_dir, os.getpid())
    (run,) = Dashboard(tmp_path).runs()
    assert (run["name"], run["task"], run["seed"], run["total"]) == ("deep/down/goal", "SafetyPointGoal1-v0", 3, 1000)
    assert run["status"] == "training" and 55 <= run["left"] <= 60, "600 steps at 10 a second"
    assert run["columns"]["step"] == [100, 200, 300, 400] and run["columns"]["return_mean"] == [1, 2, 3, 4]
    (cost,) = run["constraints"]
    assert (cost["limit"], cost["cost"], cost["predicted"]) == (25.0, [49, 48, 47, 46], [30] * 4)
    assert cost["pressure"] == cost["multiplier"] == [None] * 4, "null, and not there at all"
    json.dumps(run, allow_nan=False)


def test_what_changed_is_read_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (write_run(tmp_path / name, 2) for name in ("first", "second"))
    dashboard, read = Dashboard(tmp_path), []
    original = Dashboard._read
    monkeypatch.setattr(Dashboard, "_read", lambda self, run_dir: read.append(run_dir.name) or original(self, run_dir))
    dashboard.runs()
    dashboard.runs()
    assert sorted(read) == ["first", "second"]
    os.utime(first / "metrics.jsonl", (0, 0))
    with (second / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(row(3))[:20])
    newest, _ = dashboard.runs()
    assert (newest["name"], newest["columns"]["step"]) == ("second", [100, 200]), "half a line is not there yet"
    with (second / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(row(3))[20:] + "\n")
    assert dashboard.runs()[0]["columns"]["step"] == [100, 200, 300]


def test_status_by_steps_and_by_the_process_that_wrote(tmp_path: Path, writer: int) -> None:
    for name, evaluations in (("finished", 10), ("stopped", 4), ("starting", 0)):
        lock(write_run(tmp_path / name, evaluations), os.getpid() if name == "starting" else writer)
    found = {run["name"]: (run["status"], run["left"]) for run in Dashboard(tmp_path).runs()}
    assert found == {name: (name, None) for name in ("finished", "stopped", "starting")}


@pytest.mark.parametrize(("age", "status"), [(60, "training"), (700, "stopped")])
def test_of_a_run_on_another_machine_the_age_tells(tmp_path: Path, age: float, status: str) -> None:
    run_dir = write_run(tmp_path, 4)
    lock(run_dir, 1, "elsewhere")
    assert writer_lives(run_dir) is None
    for name in ("config.json", "metrics.jsonl"):
        written = (run_dir / name).stat().st_mtime - age
        os.utime(run_dir / name, (written, written))
    (run,) = Dashboard(tmp_path).runs()
    assert (run["name"], run["status"]) == (tmp_path.name, status)


def test_a_run_that_cannot_be_read_says_why_beside_the_others(tmp_path: Path) -> None:
    write_run(tmp_path / "good", 1)
    (write_run(tmp_path / "old", 1) / "config.json").write_text('{"env": {}}')
    (write_run(tmp_path / "damaged", 0) / "metrics.jsonl").write_text("what\n")
    found = {run["name"]: run["problem"] for run in Dashboard(tmp_path).runs()}
    assert found["good"] == ""
    assert "old: config.json lacks" in found["old"] and "line 1 of" in found["damaged"]


def test_each_constraint_has_its_own_columns(tmp_path: Path) -> None:
    write_run(tmp_path, 2, constraints={"cost_hazards": 5.0, "cost_vases": 7.0})
    ((hazards, vases),) = (run["constraints"] for run in Dashboard(tmp_path).runs())
    assert (hazards["name"], hazards["limit"], hazards["cost"]) == ("cost_hazards", 5.0, [1, 1])
    assert (vases["name"], vases["limit"], vases["cost"]) == ("cost_vases", 7.0, [2, 2])


def test_of_many_evaluations_some_are_left_out_but_not_the_last(tmp_path: Path) -> None:
    write_run(tmp_path, 2 * MOST_POINTS + 2, total=10**6)
    (run,) = Dashboard(tmp_path).runs()
    steps = run["columns"]["step"]
    assert len(steps) <= MOST_POINTS + 1 and steps[-1] == 100 * (2 * MOST_POINTS + 2)


def test_no_run_lies_in_another(tmp_path: Path) -> None:
    write_run(tmp_path / "run", 0)
    write_run(tmp_path / "run" / "checkpoints", 0)
    assert list(find_runs(tmp_path)) == [tmp_path / "run"]
