"""The evaluations of a run in `metrics.jsonl`: one line of JSON each.

`metric_keys` says what each key means, `metric_name` how those of several constraints are told apart.
"""

import json
import math
import re
from pathlib import Path

from cvpo_jax.config import ConfigError
from cvpo_jax.runtime.files import append_line, write_whole

Row = dict[str, float]
"""One evaluation: the names of metrics and their values, NaN where one is unknown."""

METRICS = "metrics.jsonl"


def nulls(row: Row) -> dict[str, float | None]:
    """`row` with null in place of what is not finite, since JSON has no word for it."""
    return {name: value if math.isfinite(value) else None for name, value in row.items()}


def to_json(row: Row) -> str:
    """One line of JSON."""
    return json.dumps(nulls(row))


def row_at(row: Row, index: int, count: int) -> Row:
    """An evaluation at several limits as that of a run at the one at `index` of `count`: its numbers, and no means."""
    ending = r"((?:_(?:mean|std|q\d+))?)"
    own = re.compile(rf"(.*)_{index}{ending}")
    any_limit = re.compile(rf".*_(?:{'|'.join(map(str, range(count)))}){ending}")
    shared = {name: value for name, value in row.items() if not any_limit.fullmatch(name)}
    return shared | {found[1] + found[2]: value for name, value in row.items() if (found := own.fullmatch(name))}


def read_metrics(run_dir: Path) -> list[Row]:
    """The evaluations of a run, oldest first. Raises ConfigError for a line that is none.

    The last line may have been cut short by a kill, and is then left out.
    """
    path = run_dir / METRICS
    lines = path.read_bytes().split(b"\n") if path.exists() else []
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            if line:
                rows.append(_row(line))
        except ValueError as error:
            # Only what a newline ends was written whole.
            if number < len(lines):
                raise ConfigError(f"line {number} of {path} is damaged ({error}): delete that line") from error
    return rows


def _row(line: bytes) -> Row:
    """The evaluation in a line; raises ValueError."""
    values = json.loads(line)
    if not isinstance(values, dict) or "step" not in values:
        raise ValueError("it is not an object with a step")
    for name, value in values.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ValueError(f"{name} is {value!r}, not a number")
    return {name: math.nan if value is None else value for name, value in values.items()}


def rewind_metrics(run_dir: Path, step: int) -> None:
    """Forget evaluations after `step`: those that a run killed before it wrote their checkpoint will make again."""
    kept = [to_json(row) for row in read_metrics(run_dir) if row["step"] <= step]
    write_whole(run_dir / METRICS, "".join(f"{line}\n" for line in kept))


def record_metrics(run_dir: Path, row: Row) -> None:
    """Append an evaluation."""
    append_line(run_dir / METRICS, to_json(row))
