"""The tasks and methods of the table of all tasks, and which of their trainings are stored."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cvpo_jax.runs.comparison.records import RunRecord, read_record
from cvpo_jax.runs.directory import load_config

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results" / "training"
ENVS = 512
ENDED = 0.9
"""Share of its steps after which a stored training counts as ended."""


@dataclass(frozen=True)
class Task:
    """A row of marks.csv. Figures of others are None where none were found."""

    id: str
    published: float | None
    """The best published return at a cost of at most 25."""
    published_cost: float | None
    source: str
    unconstrained: float | None
    """The best return of a policy that need not keep a limit."""
    mark: float | None
    """The return to beat."""


@dataclass(frozen=True)
class Method:
    """A method: the name of its folders, what tables call it, its options."""

    folder: str
    label: str
    options: dict[str, str]


METHODS = {
    "cvpo": Method("limit25", "CVPO", {}),
    "sac_lag": Method("sac_lag", "SAC-Lagrangian", {"algo.name": "sac_lag"}),
    "paper": Method(
        "paper",
        "CVPO as published",
        {"algo.limit_mode": "paper", "algo.cost_critics": "1", "algo.cost_aggregate": "mean"},
    ),
}


def _read() -> tuple[Task, ...]:
    def number(text: str) -> float | None:
        return float(text) if text else None

    with (ROOT / "benchmarks" / "marks.csv").open(newline="") as file:
        return tuple(
            Task(
                id=row["task"],
                published=number(row["published"]),
                published_cost=number(row["published_cost"]),
                source=row["source"],
                unconstrained=number(row["unconstrained"]),
                mark=number(row["mark"]),
            )
            for row in csv.DictReader(file)
        )


TASKS = _read()


def folder_of(task: str) -> str:
    """The folder of a task's results: `point_goal` for SafetyPointGoal1-v0, `point_goal2` for SafetyPointGoal2-v0."""
    found = re.fullmatch(r"Safety(Point|Car)([A-Z][a-z]+)(\d)-v0", task)
    assert found, task
    robot, name, level = found.groups()
    return f"{robot}_{name}".lower() + (level if level != "1" else "")


@dataclass(frozen=True)
class Entry:
    """A task trained by a method."""

    task: str
    method: str

    @property
    def folder(self) -> Path:
        """Where its trainings are stored."""
        return RESULTS / folder_of(self.task) / METHODS[self.method].folder

    def stored(self) -> dict[int, RunRecord]:
        """Its trainings to the end by their seed; of several machines, those of the one that made most."""
        machines = [_trainings(folder) for folder in sorted(self.folder.glob(f"{ENVS}envs*"))]
        return max(machines, key=len, default={})


def _trainings(folder: Path) -> dict[int, RunRecord]:
    records = [read_record(path) for path in sorted(folder.glob("seed*"))]
    return {record.seed: record for record in records if ended(record)}


def ended(record: RunRecord) -> bool:
    """Whether a training was carried to its end, or nearly."""
    return record.rows[-1]["step"] >= ENDED * load_config(record.run_dir).scale.steps


def entries(methods: Sequence[str]) -> list[Entry]:
    """All tasks by each of the methods, one method after the other."""
    return [Entry(task.id, method) for method in methods for task in TASKS]
