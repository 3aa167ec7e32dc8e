"""Metrics as they come in: to the terminal, to `metrics.jsonl` and to TensorBoard."""

import math
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from cvpo_jax.config.names import metric_name
from cvpo_jax.runs.board import Board
from cvpo_jax.runs.metrics import Row, record_metrics

COLUMNS = "{:>10} {:>9} {:>8} {:>9} {:>9} {:>11} {:>10} {:>9} {:>8}"
HEADER = COLUMNS.format(
    "step", "updates", "minutes", "return", "cost", "cost/limit", "predicted", "pressure", "steps/s"
)

EACH_WIDTH = 16
"""Of the column of one of several limits: its return at its cost."""


class Logs:
    """Where a run reports; use as a context manager, so that its files are closed and the bar is taken down.

    A quiet one writes to files only. `step` is where the run goes on from.
    """

    def __init__(self, run_dir: Path, total_steps: int, *, step: int = 0, quiet: bool = False) -> None:
        self._run_dir = run_dir
        self._board = Board(run_dir / "tensorboard", step)
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
        try:
            self._board.close()
        except OSError:
            # What could not be written was told when it was tried.
            if kind is None:
                raise

    def say(self, text: str) -> None:
        """Print a line on the terminal."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def progress(self, step: int, rate: float, metrics: Row) -> None:
        """Move the bar to `step`; show the rate and training episodes' return and cost, as far as they are known."""
        returns, costs = metrics.get("train/return", math.nan), metrics.get("train/cost", math.nan)
        parts = [f"{rate:,.0f} steps/s"] if math.isfinite(rate) else []
        parts += [f"training return {returns:6.2f} cost {costs:6.1f}"] if math.isfinite(returns) else []
        self._progress.update(self._task, completed=step, description="  ".join(parts) or "training")

    def evaluation(self, row: Row, num_constraints: int, limits: tuple[float, ...] = ()) -> None:
        """Write an evaluation everywhere; the terminal shows the first of the constraints, and each of several limits.

        Of these the other columns are means, and `cost/limit` is that of the limit where it is highest.
        """
        record_metrics(self._run_dir, row)
        self._board.evaluation(row)
        if self._header_due:
            self.say(HEADER + "".join(f"{f'limit {limit:g}':>{EACH_WIDTH}}" for limit in limits))
            self._header_due = False
        self.say(_line(row, num_constraints) + "".join(_at(row, index, len(limits)) for index in range(len(limits))))


def _at(row: Row, index: int, count: int) -> str:
    """Return at cost under one of several limits."""
    returns, costs = (row[f"{metric_name(name, index, count)}_mean"] for name in ("return", "cost"))
    return f"{f'{returns:.2f} @ {costs:.1f}':>{EACH_WIDTH}}"


def _line(row: Row, num_constraints: int) -> str:
    """An evaluation as a line of the terminal's table."""

    def first(name: str) -> str:
        return metric_name(name, 0, num_constraints)

    return COLUMNS.format(
        f"{row['step']:,}",
        f"{row['updates']:,}",
        f"{row['seconds'] / 60:.1f}",
        f"{row['return_mean']:.2f}",
        f"{row[first('cost') + '_mean']:.1f}",
        f"{row[first('cost_over_limit')]:.2f}",
        f"{row.get(first('cost/predicted'), math.nan):.1f}",
        f"{row.get(first('cost/pressure'), math.nan):.2f}",
        f"{row['steps_per_second']:,.0f}",
    )
