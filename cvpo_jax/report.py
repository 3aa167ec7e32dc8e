"""Compare what runs came to: `python -m cvpo_jax.report RUN_DIR … [--last 5] [--format md|csv|latex|html] [--json]`.

A row for each run, of a run at several limits for each of them, and, for each task, mode and limit with several runs,
one over seeds with its 95 % interval.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cvpo_jax import cli
from cvpo_jax.config.errors import require


@dataclass(frozen=True)
class ReportOptions:
    """Compare what runs came to, as a table."""

    run_dirs: cli.RunDirs
    """The directories of the runs."""
    last: int = 5
    """Evaluations at the end that are pooled, for the columns with a star."""
    statistic: Literal["mean", "iqm"] = "mean"
    """Over seeds: the mean with Student's interval, or the interquartile mean with a bootstrapped one and, over several
    tasks or limits, a row that draws runs within each of them."""
    good: float = -math.inf
    """Return from which on a policy that keeps the limit counts, for the columns on the time to a safe one."""
    format: Literal["md", "csv", "latex", "html"] = "md"
    """Of the table: Markdown, CSV with all digits, a LaTeX tabular for booktabs, or a page of HTML."""
    json: bool = False
    """Print the figures of all runs as JSON instead."""


def command(arguments: Sequence[str]) -> None:
    """Print the table of the runs named on the command line."""
    options = cli.read_options(ReportOptions, "report", arguments)
    require(options.last >= 1, f"--last is {options.last}: at least one evaluation is needed")
    from cvpo_jax.runs.comparison import figures, tables
    from cvpo_jax.runs.comparison.records import read_records
    from cvpo_jax.runs.metrics import nulls

    records = itertools.chain.from_iterable(read_records(run_dir) for run_dir in options.run_dirs)
    summaries = [figures.summarize(record, options.last, options.good) for record in records]
    if options.json:
        print(json.dumps([vars(summary) | {"figures": nulls(summary.figures)} for summary in summaries], indent=2))
    else:
        print(tables.table(tables.lines(summaries, options.statistic), options.format))


if __name__ == "__main__":
    cli.leave(cli.main(command))
