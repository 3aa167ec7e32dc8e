"""The evaluations of runs, and which runs belong together: those that agree in task, mode or limit."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cvpo_jax.config import ConfigError
from cvpo_jax.config.names import metric_name
from cvpo_jax.runs.directory import load_config
from cvpo_jax.runs.metrics import Row, read_metrics, row_at

PROPERTIES = ("task", "mode", "limit")
"""What runs are told apart by, their seeds aside."""


@dataclass(frozen=True)
class RunRecord:
    """A run and its evaluations, or a run at several limits and those at one; of constraints the first one counts."""

    run_dir: Path
    task: str
    mode: str
    limit: float
    seed: int
    constraints: int
    rows: list[Row]

    def key(self, name: str) -> str:
        """The metric `name` of the first constraint, as `cost` -> `cost_0` where there are several."""
        return metric_name(name, 0, self.constraints)

    def texts(self) -> dict[str, str]:
        """What tells the run apart, as it is written in labels."""
        return {
            "task": self.task,
            "mode": f"{self.mode} mode",
            "limit": f"limit {self.limit:g}",
            "seed": f"seed {self.seed}",
        }


@dataclass(frozen=True)
class RunGroup:
    """Runs that are shown as one."""

    label: str
    records: tuple[RunRecord, ...]


def read_records(run_dir: Path) -> list[RunRecord]:
    """The run in `run_dir`, one at several limits as a run for each; raises ConfigError as `read_record` does."""
    record, limits = read_record(run_dir), load_config(run_dir).algo.limits
    if not limits:
        return [record]
    return [
        replace(record, limit=limit, rows=[row_at(row, index, len(limits)) for row in record.rows])
        for index, limit in enumerate(limits)
    ]


def read_record(run_dir: Path) -> RunRecord:
    """The run in `run_dir`; raises ConfigError where it has no evaluation, or one lacks what all have.

    One at several limits by its means over them.
    """
    config, rows = load_config(run_dir), read_metrics(run_dir)
    if not rows:
        raise ConfigError(f"{run_dir} holds no evaluation yet: let it train longer, or lower --eval.every")
    record = RunRecord(
        run_dir=run_dir,
        task=config.env.id,
        mode=config.algo.method,
        limit=statistics.fmean(config.algo.limits) if config.algo.limits else config.algo.cost_limits[0],
        seed=config.train.seed,
        constraints=len(config.algo.cost_limits),
        rows=rows,
    )
    for number, row in enumerate(rows, 1):
        for name in ("updates", "seconds", "return_mean", f"{record.key('cost')}_mean"):
            if name not in row:
                raise ConfigError(f"evaluation {number} of {run_dir} lacks {name}: another version wrote it")
    return record


def each_alone(records: Sequence[RunRecord]) -> list[RunGroup]:
    """A group for each run, labeled by what tells it from the others; by its directory where nothing else does."""
    varying = _varying(records, (*PROPERTIES, "seed")) or ["seed"]
    labels = [", ".join(record.texts()[name] for name in varying) for record in records]
    if len(set(labels)) < len(labels):
        labels = [str(record.run_dir) for record in records]
    return [RunGroup(label, (record,)) for label, record in zip(labels, records, strict=True)]


def grouped(records: Sequence[RunRecord], names: Sequence[str]) -> list[RunGroup]:
    """Groups of the runs that agree in `names`, of PROPERTIES, in the order in which they first appear.

    Raises ConfigError where a group would average over different tasks, modes or limits.
    """
    groups: dict[str, list[RunRecord]] = {}
    for record in records:
        groups.setdefault(", ".join(record.texts()[name] for name in names), []).append(record)
    for members in groups.values():
        if mixed := _varying(members, PROPERTIES):
            found = " and ".join(dict.fromkeys(record.texts()[mixed[0]] for record in members))
            raise ConfigError(
                f"--group is {','.join(names)}: this would average over {found}; add {mixed[0]}, or name fewer runs"
            )
    return [RunGroup(label, tuple(members)) for label, members in groups.items()]


def shared(records: Sequence[RunRecord]) -> str:
    """What all runs have in common, as the title of a picture."""
    varying = _varying(records, PROPERTIES)
    return ", ".join(records[0].texts()[name] for name in PROPERTIES if name not in varying)


def _varying(records: Sequence[RunRecord], names: Sequence[str]) -> list[str]:
    return [name for name in names if len({record.texts()[name] for record in records}) > 1]
