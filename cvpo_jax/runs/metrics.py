"""The evaluations of a run in `metrics.jsonl`: one line of JSON each.

`metric_keys` says what each key means, `metric_name` how those of several constraints are told apart.
"""

import json
import math
from pathlib import Path

Row = dict[str, float]
"""One evaluation: the names of metrics and their values, NaN where one is unknown."""

METRICS = "metrics.jsonl"


def to_json(row: Row) -> str:
    """One line of JSON. What is not finite becomes null, since JSON has no word for it."""
    return json.dumps({name: value if math.isfinite(value) else None for name, value in row.items()})


def read_metrics(run_dir: Path) -> list[Row]:
    """The evaluations of a run, oldest first. A line cut short by a kill is left out."""
    path = run_dir / METRICS
    rows = []
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            rows.append({name: math.nan if value is None else value for name, value in json.loads(line).items()})
        except json.JSONDecodeError:
            continue
    return rows


def rewind_metrics(run_dir: Path, step: int) -> None:
    """Forget evaluations after `step`: those that a run killed before it wrote their checkpoint will make again."""
    kept = [to_json(row) for row in read_metrics(run_dir) if row["step"] <= step]
    (run_dir / METRICS).write_text("".join(line + "\n" for line in kept))
