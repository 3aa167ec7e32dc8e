"""Draw what runs learned: `python -m cvpo_jax.plot RUN_DIR … [--group limit] [--x cost] [--out FILE]`.

Return and cost over training with the limits, or return against cost. Also the table and the picture a run ends with.
"""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cvpo_jax import cli
from cvpo_jax.config.errors import require

if TYPE_CHECKING:
    from cvpo_jax.runs.comparison.records import RunGroup, RunRecord

SUFFIXES = (".png", ".pdf", ".svg")


@dataclass(frozen=True)
class PlotOptions:
    """Draw what runs learned into one picture."""

    run_dirs: cli.RunDirs
    """The directories of the runs."""
    group: str = ""
    """Average runs that agree in these: any of task, limit and mode, between commas; else each run has a line."""
    statistic: Literal["mean", "iqm"] = "mean"
    """Of a group: the mean, or the interquartile mean, with a bootstrapped 95 % interval over its runs."""
    x: Literal["step", "updates", "minutes", "cost"] = "step"
    """What is to the right; cost: the return against it, a point for each run or group."""
    last: int = 5
    """Evaluations at the end that a point against cost is the mean of."""
    out: Path = Path("learning_curves.png")
    """The picture to write: .png, .pdf or .svg."""


def plot_runs(options: PlotOptions) -> Path:
    """Draw the picture that the options describe; returns its path.

    Raises ConfigError where a folder is no run, a run has no evaluation yet, or a group would mix what differs.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    from cvpo_jax.runs.comparison.curves import draw_curves
    from cvpo_jax.runs.comparison.frontier import draw_frontier
    from cvpo_jax.runtime.files import write_whole

    groups = _groups(options)
    legend = 2.5 if len(groups) > 1 else 0.0
    if options.x == "cost":
        figure = Figure(figsize=(6.5 + legend, 5), layout="constrained")
        draw_frontier(figure, groups, options.last, options.statistic)
    else:
        figure = Figure(figsize=(7.5 + legend, 6.5), layout="constrained")
        draw_curves(figure, groups, options.x, options.statistic)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=120, format=options.out.suffix.lower().removeprefix("."))
    write_whole(options.out, drawn.getvalue())
    return options.out


def _groups(options: PlotOptions) -> list[RunGroup]:
    from cvpo_jax.runs.comparison import records

    names = [name.strip() for name in options.group.split(",")] if options.group else []
    unknown = [name for name in names if name not in records.PROPERTIES]
    require(not unknown, f"--group is {options.group}: name any of {', '.join(records.PROPERTIES)}, between commas")
    require(
        bool(names) or options.statistic == "mean",
        f"--statistic is {options.statistic}: it is over the runs of a group; give --group, as --group limit",
    )
    require(options.last >= 1, f"--last is {options.last}: at least one evaluation is needed")
    found = list(itertools.chain.from_iterable(records.read_records(run_dir) for run_dir in options.run_dirs))
    return records.grouped(found, names) if names else records.each_alone(found)


def plot_run(run_dir: Path) -> Path:
    """Draw one run to `learning_curve.png` in its directory."""
    return plot_runs(PlotOptions((run_dir,), out=run_dir / "learning_curve.png"))


def table(run_dir: Path, most: int = 8) -> str:
    """Return and cost at up to `most` evaluations spread over the run, the last one among them, and the best of all.

    Of a run at several limits means over them, and then the last and the best evaluation at each limit.
    """
    from cvpo_jax.runs.comparison.records import read_record, read_records

    record, of_each = read_record(run_dir), read_records(run_dir)
    rows, cost = record.rows, f"{record.key('cost')}_mean"
    stride = -(-len(rows) // most)
    lines = [f"{'step':>12} {'minutes':>8} {'return':>8} {'cost':>8} {'limit':>7}"]
    for row in rows[::-1][::stride][::-1]:
        lines.append(
            f"{row['step']:>12,} {row['seconds'] / 60:>8.1f} {row['return_mean']:>8.2f} {row[cost]:>8.1f} "
            f"{record.limit:>7g}"
        )
    best = max(rows, key=lambda row: row.get("score", -math.inf))
    if "score" in best:
        lines.append(
            f"best by evaluation: step {best['step']:,}, return {best['return_mean']:.2f} at a cost of "
            f"{best[cost]:.1f} (evaluate it again: --step best)"
        )
    if len(of_each) > 1:
        lines += ["", f"{'limit':>12} {'return':>8} {'cost':>8}   at the end; at the best step:"]
        lines += [_at_limit(one, rows.index(best)) for one in of_each]
    return "\n".join(lines)


def _at_limit(record: RunRecord, best: int) -> str:
    """Return and cost at one of several limits, at the end and in the evaluation at the index `best`."""
    pairs = [f"{row['return_mean']:>8.2f} {row['cost_mean']:>8.1f}" for row in (record.rows[-1], record.rows[best])]
    return f"{record.limit:>12g} " + " ".join(pairs)


def command(arguments: Sequence[str]) -> None:
    """Draw the runs named on the command line into one picture."""
    options = cli.read_options(PlotOptions, "plot", arguments)
    cli.require_output("out", options.out, SUFFIXES)
    print(plot_runs(options))


if __name__ == "__main__":
    cli.leave(cli.main(command))
