"""What a run came to, in one number for each quantity."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from cvpo_jax.runs.comparison.records import RunRecord
from cvpo_jax.runs.metrics import Row

COLUMNS = {
    "minutes": "minutes",
    "updates": "updates",
    "return": "return",
    "cost": "cost",
    "pooled_return": "return*",
    "pooled_cost": "cost*",
    "pooled_cost_over_limit": "cost*/limit",
    "worst_cost": "worst*",
    "measured_cost": "measured*",
    "predicted_cost": "critic*",
    "lam": "lam*",
    "kl_mean": "KL*",
    "std": "std*",
    "train_over_limit": "over",
    "train_excess": "excess",
    "safe_minutes": "to safe",
    "safe_steps": "steps to safe",
}
"""Figures of a run and how tables call them; a star marks those of the last evaluations. `to safe` is when the limit
was kept from, `over` the share of training episodes above it, `excess` what they exceeded it by on average.
`measured` is what the controller saw of episodes in training, `critic` what the critics predicted of them."""
CONFIRMED = 3
"""Evaluations in a row that have to keep the limit for a run to count as safe from the first of them."""
COMPARABLE = ("pooled_cost_over_limit", "kl_mean", "train_over_limit")
"""Figures without a unit, which may be averaged over tasks and limits."""


@dataclass(frozen=True)
class Summary:
    """One run's figures; those of the first constraint where there are several."""

    run_dir: str
    task: str
    mode: str
    limit: float
    seed: int
    figures: dict[str, float]


def summarize(record: RunRecord, last: int, good: float = -math.inf) -> Summary:
    """The figures of a run, some over its last `last` evaluations; those with a return below `good` are not safe."""
    return Summary(
        run_dir=str(record.run_dir),
        task=record.task,
        mode=record.mode,
        limit=record.limit,
        seed=record.seed,
        figures=_figures(record, last) | _time_to_safe(record, good),
    )


def mean_of(rows: Sequence[Row], name: str) -> float:
    """Mean of a metric where it is known; NaN where it never is."""
    known = [row[name] for row in rows if not math.isnan(row.get(name, math.nan))]
    return statistics.fmean(known) if known else math.nan


def _figures(record: RunRecord, last: int) -> dict[str, float]:
    rows, limit = record.rows, record.limit
    end, late, cost = rows[-1], rows[-last:], f"{record.key('cost')}_mean"
    trained = [row["train/cost"] for row in rows if not math.isnan(row.get("train/cost", math.nan))]
    return {
        "minutes": end["seconds"] / 60,
        "updates": end["updates"],
        "return": end["return_mean"],
        "cost": end[cost],
        "pooled_return": mean_of(late, "return_mean"),
        "pooled_cost": mean_of(late, cost),
        "pooled_cost_over_limit": mean_of(late, cost) / limit if limit else math.nan,
        "worst_cost": max(row[cost] for row in late),
        "measured_cost": mean_of(late, record.key("cost/measured")),
        "predicted_cost": mean_of(late, record.key("cost/predicted")),
        "lam": mean_of(late, record.key("estep/lam_normalized")),
        "kl_mean": mean_of(late, "mstep/kl_mean_ratio"),
        "std": mean_of(late, "policy/scale"),
        "train_over_limit": mean_of(rows, "train/share_over_limit"),
        "train_excess": statistics.fmean(max(0.0, each - limit) for each in trained) if trained else math.nan,
    }


def _time_to_safe(record: RunRecord, good: float) -> dict[str, float]:
    """When the limit was first kept at a return of `good`, confirmed by the next evaluations; NaN where never.

    In training time, compilation included, and in steps of all environments.
    """
    cost = f"{record.key('cost')}_mean"
    index = first_confirmed([row["return_mean"] >= good and row[cost] <= record.limit for row in record.rows])
    row = {} if index is None else record.rows[index]
    return {"safe_minutes": row.get("seconds", math.nan) / 60, "safe_steps": row.get("step", math.nan)}


def first_confirmed(safe: Sequence[bool]) -> int | None:
    """Which evaluation is the first of `CONFIRMED` in a row that are safe; None: none yet."""
    starts = range(len(safe) - CONFIRMED + 1)
    return next((start for start in starts if all(safe[start : start + CONFIRMED])), None)
