"""What a dashboard shows of the runs under a folder, read anew whenever their files change.

Notation: C constraints, E evaluations.
"""

import itertools
import math
import os
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cvpo_jax.config import Config, ConfigError
from cvpo_jax.config.names import metric_name
from cvpo_jax.pages.assemble import rounded
from cvpo_jax.runs.directory import CONFIG, load_config
from cvpo_jax.runs.metrics import METRICS, Row, read_metrics
from cvpo_jax.runtime.files import LOCK

Status = Literal["starting", "training", "finished", "stopped"]
Signature = tuple[tuple[float, int], ...]
"""When each of a run's files was last written, and its size; 0 where it is missing."""
MOST_POINTS = 300
"""Evaluations of a run that are drawn; of more, some are left out."""
_PATIENCE = 600.0  # s without an evaluation, or several times what one takes, after which a run counts as stopped
_DEEPEST = 8  # folders below the one that is watched
_ALL = ("step", "updates", "seconds", "return_mean", "return_q10", "return_q90", "steps_per_second")
_EACH = {  # metric of a constraint -> what the page calls it
    "cost{c}_mean": "cost",
    "cost/predicted{c}": "predicted",
    "cost/measured{c}": "measured",
    "cost/pressure{c}": "pressure",
    "estep/lam_normalized{c}": "multiplier",
}


@dataclass(frozen=True)
class Snapshot:
    """What is known of a run at a time."""

    signature: Signature
    shown: dict[str, Any]

    @property
    def written(self) -> float:
        """When its files were last written."""
        return max(time for time, _ in self.signature)


class Dashboard:
    """The runs under `folder`; what did not change is not read again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[Path, Snapshot] = {}

    def runs(self) -> list[dict[str, Any]]:
        """All runs, those that changed last first, with what changes by itself: status and time left."""
        known = {}
        for run_dir in find_runs(self._folder):
            signature = _signature(run_dir)
            before = self._known.get(run_dir)
            kept = before and before.signature == signature
            known[run_dir] = before if before and kept else Snapshot(signature, self._read(run_dir))
        self._known = known
        newest = sorted(known.items(), key=lambda entry: -entry[1].written)
        return [snapshot.shown | _now(run_dir, snapshot) for run_dir, snapshot in newest]

    def _read(self, run_dir: Path) -> dict[str, Any]:
        """What the files of a run say; of those that cannot be read, why."""
        name = str(run_dir.relative_to(self._folder)) if run_dir != self._folder else run_dir.resolve().name
        try:
            config, rows = load_config(run_dir), read_metrics(run_dir)
        except (ConfigError, OSError) as error:
            return {"name": name, "problem": str(error)}
        return {"name": name, "problem": ""} | describe(config, rows)


def find_runs(folder: Path) -> Iterator[Path]:
    """The run directories at or below `folder`; none lies in another."""
    for path, folders, files in os.walk(folder):
        depth = len(Path(path).relative_to(folder).parts)
        if CONFIG in files or depth >= _DEEPEST:
            folders.clear()
        if CONFIG in files:
            yield Path(path)


def describe(config: Config, rows: list[Row]) -> dict[str, Any]:
    """What a run is, and its evaluations in columns `[E]`, of each constraint, or of several limits each, its own."""
    limits = {f"limit {each:g}": each for each in config.algo.limits} or config.algo.constraint_limits
    shown = rows[:: max(1, -(-len(rows) // MOST_POINTS))]
    if rows and shown[-1] is not rows[-1]:
        shown = [*shown, rows[-1]]
    constraints = []
    for index, (name, limit) in enumerate(limits.items()):
        ending = metric_name("", index, len(limits))
        columns = {word: _column(shown, metric.replace("{c}", ending)) for metric, word in _EACH.items()}
        constraints.append({"name": name, "limit": limit, **columns})
    return {
        "task": config.env.id,
        "seed": config.train.seed,
        "total": config.scale.steps,
        "columns": {name: _column(shown, name) for name in _ALL},
        "constraints": constraints,
    }


def _column(rows: list[Row], name: str) -> list[float | int | None]:
    values = np.array([row.get(name, math.nan) for row in rows], float)
    # Steps are counted, and more of them than there are digits in a curve.
    return [int(value) for value in values] if name in ("step", "updates") else rounded(values)


def _signature(run_dir: Path) -> Signature:
    told = []
    for name in (CONFIG, METRICS):
        try:
            found = (run_dir / name).stat()
            told.append((found.st_mtime, found.st_size))
        except OSError:
            told.append((0.0, 0))
    return tuple(told)


def _now(run_dir: Path, snapshot: Snapshot) -> dict[str, Any]:
    """Status, and seconds left of one that trains, None where that is not known."""
    if snapshot.shown["problem"]:
        return {"status": "stopped", "left": None}
    columns, total = snapshot.shown["columns"], snapshot.shown["total"]
    age = time.time() - snapshot.written
    state = status(columns, total, age, alive=writer_lives(run_dir))
    rate = columns["steps_per_second"][-1] if columns["step"] else None
    if state != "training" or not rate:
        return {"status": state, "left": None}
    return {"status": state, "left": round(max(0.0, (total - columns["step"][-1]) / rate - age))}


def status(columns: dict[str, list[Any]], total: int, age: float, *, alive: bool | None) -> Status:
    """What a run does whose files were written `age` s ago, and whose writer is `alive`; None: that is not known."""
    steps, seconds = columns["step"], columns["seconds"]
    if steps and steps[-1] >= total:
        return "finished"
    longest = max((after - before for before, after in itertools.pairwise(seconds)), default=0.0)
    if alive is False or (alive is None and age > max(_PATIENCE, 4 * longest)):
        return "stopped"
    return "training" if steps else "starting"


def writer_lives(run_dir: Path) -> bool | None:
    """Whether the process that last wrote to a run is there; None where it is on another machine.

    The lock itself is left alone: trying it could refuse a run that starts at that moment.
    """
    try:
        found = re.fullmatch(r"process (\d+) on (.*)", (run_dir / LOCK).read_text())
        if not found or found[2] != socket.gethostname():
            return None
        os.kill(int(found[1]), 0)  # asks, and does nothing
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    except (OSError, ValueError, OverflowError):
        return None
    return True
