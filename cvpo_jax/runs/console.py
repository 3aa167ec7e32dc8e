"""Metrics to the terminal, to `metrics.jsonl` and to TensorBoard."""

import json
import math
import time
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from tensorboardX import SummaryWriter

Row = dict[str, float]

METRICS = "metrics.jsonl"
COLUMNS = "{:>10} {:>9} {:>8} {:>9} {:>9} {:>11} {:>10} {:>9} {:>8}"
HEADER = COLUMNS.format(
    "step", "updates", "minutes", "return", "cost", "cost/limit", "predicted", "pressure", "steps/s"
)


class Logs:
    """Where a run reports: use as a context manager, so that the files are closed and the bar is taken down.

    A quiet one writes to files only.
    """

    def __init__(self, run_dir: Path, total_steps: int, *, quiet: bool = False) -> None:
        self._file = (run_dir / METRICS).open("a", buffering=1)
        self._board = SummaryWriter(str(run_dir / "tensorboard"))
        self._console = Console(quiet=quiet)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            # Without a terminal a bar would fill the log with copies of itself.
            disable=quiet or not self._console.is_terminal,
        )
        self._task = self._progress.add_task("compiling", total=total_steps)
        self._header_due = True

    def __enter__(self) -> "Logs":
        self._progress.start()
        return self

    def __exit__(self, kind: type | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._progress.stop()
        self._board.close()
        self._file.close()

    def say(self, text: str) -> None:
        """A line on the terminal."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def progress(self, step: int, rate: float, metrics: Row) -> None:
        """Move the bar to `step`; show the rate and what training episodes came to, as far as these are known."""
        returns, costs = metrics.get("train/return", math.nan), metrics.get("train/cost", math.nan)
        parts = [f"{rate:,.0f} steps/s"] if math.isfinite(rate) else []
        parts += [f"training return {returns:6.2f} cost {costs:6.1f}"] if math.isfinite(returns) else []
        self._progress.update(self._task, completed=step, description="  ".join(parts) or "training")

    def evaluation(self, row: Row, suffix: str) -> None:
        """Write an evaluation everywhere; `suffix` is that of the first constraint's metrics."""
        self._file.write(to_json(row) + "\n")
        for name, value in row.items():
            if math.isfinite(value):
                self._board.add_scalar(name, value, int(row["step"]), walltime=time.time())
        self._board.flush()
        if self._header_due:
            self.say(HEADER)
            self._header_due = False
        self.say(
            COLUMNS.format(
                f"{row['step']:,}",
                f"{row['updates']:,}",
                f"{row['seconds'] / 60:.1f}",
                f"{row['return_mean']:.2f}",
                f"{row[f'cost{suffix}_mean']:.1f}",
                f"{row[f'cost_over_limit{suffix}']:.2f}",
                f"{row.get(f'cost/predicted{suffix}', math.nan):.1f}",
                f"{row.get(f'cost/pressure{suffix}', math.nan):.2f}",
                f"{row['steps_per_second']:,.0f}",
            )
        )


def to_json(row: Row) -> str:
    """One line of JSON; what is not finite becomes null, since JSON has no word for it."""
    return json.dumps({name: value if math.isfinite(value) else None for name, value in row.items()})


def read_metrics(run_dir: Path) -> list[Row]:
    """The evaluations of a run, oldest first; a line cut short by a kill is left out."""
    path = run_dir / METRICS
    rows = []
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            rows.append({name: math.nan if value is None else value for name, value in json.loads(line).items()})
        except json.JSONDecodeError:
            continue
    return rows


def rewind_metrics(run_dir: Path, step: int) -> None:
    """Forget evaluations after `step`: those that a run killed before their checkpoint was written will make again."""
    kept = [to_json(row) for row in read_metrics(run_dir) if row["step"] <= step]
    (run_dir / METRICS).write_text("".join(line + "\n" for line in kept))
