"""What runs came to, side by side: `python -m cvpo_jax.report RUN_DIR … [--last 5] [--json]`.

A row a run and, for each task, mode and limit with several runs, their mean with its 95 % interval over seeds.
"""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from cvpo_jax import cli
from cvpo_jax.config import Config, ConfigError
from cvpo_jax.runs.console import Row, read_metrics
from cvpo_jax.runs.directory import load_config

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
training episodes above the limit, `excess` what the cost of a training episode exceeded the limit by, on the mean.
`measured` is what the controller saw of episodes in training, `critic` what the critics predicted of them."""


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
    config, rows = load_config(run_dir), read_metrics(run_dir)
    if not rows:
        raise ConfigError(f"{run_dir} holds no evaluation yet: let it train longer, or lower --eval.every")
    return Summary(
        run_dir=str(run_dir),
        task=config.env.id,
        mode=config.algo.limit_mode,
        limit=config.algo.cost_limits[0],
        seed=config.train.seed,
        figures=_figures(config, rows, last),
    )


def _figures(config: Config, rows: Sequence[Row], last: int) -> dict[str, float]:
    suffix = "" if len(config.algo.cost_limits) == 1 else "_0"
    limit, end, late = config.algo.cost_limits[0], rows[-1], rows[-last:]

    def mean(name: str, over: Sequence[Row] = late) -> float:
        known = [row[name] for row in over if not math.isnan(row.get(name, math.nan))]
        return float(np.mean(known)) if known else math.nan

    trained = [row["train/cost"] for row in rows if not math.isnan(row.get("train/cost", math.nan))]
    return {
        "minutes": end["seconds"] / 60,
        "updates": end["updates"],
        "return": end["return_mean"],
        "cost": end[f"cost{suffix}_mean"],
        "pooled_return": mean("return_mean"),
        "pooled_cost": mean(f"cost{suffix}_mean"),
        "worst_cost": max(row[f"cost{suffix}_mean"] for row in late),
        "measured_cost": mean(f"cost/measured{suffix}"),
        "predicted_cost": mean(f"cost/predicted{suffix}"),
        "lam": mean(f"estep/lam_normalized{suffix}"),
        "kl_mean": mean("mstep/kl_mean_ratio"),
        "std": mean("policy/scale"),
        "train_over_limit": mean("train/share_over_limit", rows),
        "train_excess": float(np.mean([max(0.0, cost - limit) for cost in trained])) if trained else math.nan,
    }


def over_seeds(summaries: Sequence[Summary]) -> dict[str, tuple[float, float]]:
    """Mean of each figure over runs and the half width of its 95 % interval by Student's t."""
    result = {}
    for name in summaries[0].figures:
        values = np.array([summary.figures[name] for summary in summaries])
        error = values.std(ddof=1) / math.sqrt(len(values))
        result[name] = (float(values.mean()), float(error * stats.t.ppf(0.975, len(values) - 1)))
    return result


def table(summaries: Sequence[Summary]) -> str:
    """All runs as a Markdown table, and each task's mean over seeds."""
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
    parser = argparse.ArgumentParser(prog="python -m cvpo_jax.report", description="Compare what runs came to.")
    parser.add_argument("run_dirs", nargs="+", type=Path, metavar="RUN_DIR")
    parser.add_argument("--last", type=int, default=5, help="evaluations at the end that are pooled (starred columns)")
    parser.add_argument("--json", action="store_true", help="print every run's figures as JSON")
    options = parser.parse_args(arguments)
    if options.last < 1:
        raise ConfigError(f"--last is {options.last}: at least one evaluation is needed")
    summaries = [summarize(run_dir, options.last) for run_dir in options.run_dirs]
    if options.json:
        print(json.dumps([vars(summary) for summary in summaries], indent=2))
    else:
        print(table(summaries))


if __name__ == "__main__":
    sys.exit(cli.main(command))
