"""The table of all tasks: what it takes for missing, where it looks, what it says, and that the page is up to date."""

import importlib
import shutil
import sys

import numpy as np
import pytest
from paths import ROOT

from cvpo_jax import tasks
from cvpo_jax.runs.directory import load_config


@pytest.fixture(scope="module")
def scripts():
    """The scripts, which lie outside the packages."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    yield {name: importlib.import_module(name) for name in ("marks", "marks_tasks", "marks_table")}
    sys.path.remove(str(ROOT / "benchmarks"))


def test_every_port_with_a_cost_has_a_row(scripts):
    ports = [name for name, said in tasks.describe().items() if name.endswith("-v0") and "costs: none" not in said]
    assert sorted(task.id for task in scripts["marks_tasks"].TASKS) == sorted(ports)


def test_the_page_is_up_to_date(scripts):
    page = (ROOT / "docs" / "lab" / "marks.md").read_text()
    assert page == scripts["marks_table"].page(), "run python benchmarks/marks.py --table"


def test_stored_trainings_are_found_by_task_and_method(scripts):
    entry = scripts["marks_tasks"].Entry("SafetyPointGoal1-v0", "cvpo")
    records = entry.stored()
    assert sorted(records) == [0, 1, 2, 3, 4]
    assert {(record.task, record.mode, record.limit) for record in records.values()} == {
        ("SafetyPointGoal1-v0", "measured", 25)
    }
    assert scripts["marks_tasks"].folder_of("SafetyCarButton2-v0") == "car_button2"


def test_what_is_stored_is_not_trained_again(scripts, monkeypatch):
    marks = scripts["marks"]
    entries = [marks.Entry(task, "cvpo") for task in ("SafetyPointGoal1-v0", "SafetyPointPush1-v0")]
    monkeypatch.setattr(marks.Entry, "stored", lambda self: {0: None, 2: None} if "Goal" in self.task else {})
    jobs = [(job.entry.task[6:-3], job.seeds) for job in marks.plan(entries, 3, populations=False)]
    assert jobs == [("PointPush1", (0,)), ("PointGoal1", (1,)), ("PointPush1", (1,)), ("PointPush1", (2,))]
    together = [(job.entry.task[6:-3], job.seeds) for job in marks.plan(entries, 3, populations=True)]
    assert together == [("PointGoal1", (0, 1, 2)), ("PointPush1", (0, 1, 2))]


def test_a_run_that_was_stopped_is_resumed(scripts, tmp_path):
    marks = scripts["marks"]
    job = marks.Job(marks.Entry("SafetyPointPush1-v0", "sac_lag"), (1,))
    words = marks.run_command(job, tmp_path)
    assert words[-6:] == ["--env.id", "SafetyPointPush1-v0", "--algo.name", "sac_lag", "--train.seed", "1"]
    (tmp_path / "checkpoints" / "256000").mkdir(parents=True)
    assert marks.run_command(job, tmp_path)[-2:] == ["--resume", str(tmp_path)]


@pytest.mark.xdist_group("tiny_run")
def test_a_run_is_stored_once_it_has_ended(scripts, tiny_run, tmp_path, monkeypatch):
    marks, run = scripts["marks"], shutil.copytree(tiny_run, tmp_path / "run")
    monkeypatch.setattr(scripts["marks_tasks"], "RESULTS", tmp_path / "training")
    monkeypatch.setattr(scripts["marks_tasks"], "ENVS", 16)
    entry = marks.Entry("SafetyPointCircle1-v0", "cvpo")
    assert marks.store(marks.Job(entry, (3,)), run) and list(entry.stored()) == [3]
    (stored,) = (tmp_path / "training" / "point_circle" / "limit25" / "16envs").iterdir()
    assert {path.name for path in stored.iterdir()} == {"config.json", "metrics.jsonl"}
    assert load_config(stored).run_dir is None
    metrics = run / "metrics.jsonl"
    metrics.write_text("\n".join(metrics.read_text().splitlines()[:2]) + "\n")
    assert not marks.store(marks.Job(entry, (3,)), run), "it was stopped"


def test_probability_of_improvement_counts_pairs(scripts):
    chance = scripts["marks_table"].probability_of_improvement
    better, worse, level = np.array([2.0, 3.0]), np.array([0.0, 1.0]), np.array([5.0, 5.0])
    assert chance([better], [worse]).value == 1
    assert chance([better, level], [worse, level]).value == 0.75
    assert chance([np.array([1.0, 3.0])], [np.array([2.0])]).value == 0.5
