"""Compare what runs came to: `python -m cvpo_jax.report RUN_DIR … [--last 5] [--json]`.

A row for each run and, for each task, mode and limit with several runs, their mean with its 95 % interval over seeds.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cvpo_jax import cli
from cvpo_jax.config import Config, ConfigError
from cvpo_jax.config.names import metric_name
from cvpo_jax.plot import evaluations

if TYPE_CHECKING:
    from cvpo_jax.runs.metrics import Row

COLUMNS = {
    "minutes": "minutes",
    "updates": "updates",
    "return": "return",
    "cost": "cost",
    "pooled_return": "return*",
    "pooled_cost": "cost*",
    "worst_cost": "worst*",
    "measured_cost": "measured*",
    "predicted_cost": "critic*",
    "lam": "lam*",
    "kl_mean": "KL*",
    "std": "std*",
    "train_over_limit": "over",
    "train_excess": "excess",
}
"""Figures of a run and how the table calls them; a star marks those of the last evaluations. `over` is the share of
training episodes above the limit, `excess` what the cost of a training episode exceeded the limit by, on average.
`measured` is what the controller saw of episodes in training, `critic` what the critics predicted of them."""


@dataclass(frozen=True)
class ReportOptions:
    """Compare what runs came to, as a Markdown table."""

    run_dirs: cli.RunDirs
    """The directories of the runs."""
    last: int = 5
    """Evaluations at the end that are pooled, for the columns with a star."""
    json: bool = False
    """Print the figures of all runs as JSON."""


@dataclass(frozen=True)
class Summary:
    """One run's figures; those of the first constraint where there are several."""

    run_dir: str
    task: str
    mode: str
    limit: float
    seed: int
    figures: dict[str, float]


def summarize(run_dir: Path, last: int) -> Summary:
    """The figures of a run, some of them over its last `last` evaluations; raises ConfigError where it has none."""
    from cvpo_jax.runs.directory import load_config

    config = load_config(run_dir)
    return Summary(
        run_dir=str(run_dir),
        task=config.env.id,
        mode=config.algo.limit_mode,
        limit=config.algo.cost_limits[0],
        seed=config.train.seed,
        figures=_figures(config, evaluations(run_dir), last),
    )


def _figures(config: Config, rows: Sequence[Row], last: int) -> dict[str, float]:
    limit, end, late = config.algo.cost_limits[0], rows[-1], rows[-last:]
    first = partial(metric_name, index=0, count=len(config.algo.cost_limits))
    cost = f"{first('cost')}_mean"

    def mean(name: str, over: Sequence[Row] = late) -> float:
        known = [row[name] for row in over if not math.isnan(row.get(name, math.nan))]
        return statistics.fmean(known) if known else math.nan

    trained = [row["train/cost"] for row in rows if not math.isnan(row.get("train/cost", math.nan))]
    return {
        "minutes": end["seconds"] / 60,
        "updates": end["updates"],
        "return": end["return_mean"],
        "cost": end[cost],
        "pooled_return": mean("return_mean"),
        "pooled_cost": mean(cost),
        "worst_cost": max(row[cost] for row in late),
        "measured_cost": mean(first("cost/measured")),
        "predicted_cost": mean(first("cost/predicted")),
        "lam": mean(first("estep/lam_normalized")),
        "kl_mean": mean("mstep/kl_mean_ratio"),
        "std": mean("policy/scale"),
        "train_over_limit": mean("train/share_over_limit", rows),
        "train_excess": statistics.fmean(max(0.0, each - limit) for each in trained) if trained else math.nan,
    }


def over_seeds(summaries: Sequence[Summary]) -> dict[str, tuple[float, float]]:
    """Mean of each figure over runs and the half width of its 95 % interval."""
    names = summaries[0].figures
    return {name: interval([summary.figures[name] for summary in summaries]) for name in names}


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean and half width of its 95 % interval by Student's t, for two values or more."""
    import numpy as np
    from scipy import stats

    array = np.array(values)
    error = array.std(ddof=1) / math.sqrt(len(array))
    return float(array.mean()), float(error * stats.t.ppf(0.975, len(array) - 1))


def table(summaries: Sequence[Summary]) -> str:
    """All runs and each task's mean over seeds as a Markdown table."""
    head = ["task", "mode", "limit", "seed", *COLUMNS.values()]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for group in _groups(summaries):
        task = f"| {group[0].task} | {group[0].mode} | {group[0].limit:g}"
        for summary in group:
            cells = [_number(summary.figures[name]) for name in COLUMNS]
            lines.append(f"{task} | {summary.seed} | {' | '.join(cells)} |")
        if len(group) > 1:
            cells = [f"{_number(mean)} ± {_number(half)}" for mean, half in over_seeds(group).values()]
            lines.append(f"{task} | all | {' | '.join(cells)} |")
    return "\n".join(lines)


def _groups(summaries: Sequence[Summary]) -> list[list[Summary]]:
    """Runs of the same task, mode and limit together, in the order in which they first appear."""
    groups: dict[tuple[str, str, float], list[Summary]] = {}
    for summary in summaries:
        groups.setdefault((summary.task, summary.mode, summary.limit), []).append(summary)
    return list(groups.values())


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) < 1 else f"{value:.1f}"


def command(arguments: Sequence[str]) -> None:
    """Print the table of the runs named on the command line."""
    options = cli.read_options(ReportOptions, "report", arguments)
    if options.last < 1:
        raise ConfigError(f"--last is {options.last}: at least one evaluation is needed")
    from cvpo_jax.runs.metrics import nulls

    summaries = [summarize(run_dir, options.last) for run_dir in options.run_dirs]
    if options.json:
        print(json.dumps([vars(summary) | {"figures": nulls(summary.figures)} for summary in summaries], indent=2))
    else:
        print(table(summaries))


if __name__ == "__main__":
    cli.leave(cli.main(command))
