"""Return and cost of evaluations over training, a line for each run or group of runs.

Notation: S runs, T points along the axis.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from cvpo_jax.runs.comparison.estimates import Statistic, bootstrap
from cvpo_jax.runs.comparison.records import RunGroup, RunRecord, shared

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Progress = Literal["step", "updates", "minutes"]
SCALES = {
    "step": ("step", 1e6, "million environment steps"),
    "updates": ("updates", 1e3, "thousand updates"),
    "minutes": ("seconds", 60.0, "minutes"),
}
"""What training is measured by: its metric, the divisor, the label of the axis."""
MOST_BANDS = 6
"""Curves of single runs beyond which their bands would hide one another."""
POINTS = 200
"""Points of the common axis of runs that were not evaluated at the same ones."""
DASHES = ("-", "--", "-.", ":")


@dataclass(frozen=True)
class Curve:
    """A line and its band, `[T]` each."""

    x: np.ndarray
    center: np.ndarray
    low: np.ndarray
    high: np.ndarray


def draw_curves(figure: Figure, groups: Sequence[RunGroup], x: Progress, statistic: Statistic) -> None:
    """Draw return above cost, with the limits, and name the lines in a legend beside them."""
    top, bottom = figure.subplots(2, 1, sharex=True)
    for axes, name in ((top, "return"), (bottom, "cost")):
        for group, (color, dashes) in zip(groups, styles(len(groups)), strict=True):
            curve = make_curve(group.records, name, x, statistic)
            axes.plot(curve.x, curve.center, dashes, color=color, label=group.label)
            if len(group.records) > 1 or len(groups) <= MOST_BANDS:
                axes.fill_between(curve.x, curve.low, curve.high, color=color, alpha=0.15, linewidth=0)
        axes.set_ylabel(f"{name} of an episode")
        axes.grid(alpha=0.3)
    mark_limits(bottom, groups)
    bottom.set_ylim(bottom=0)
    bottom.set_xlabel(SCALES[x][2])
    finish(figure, top, groups, _bands(groups, statistic))


def _bands(groups: Sequence[RunGroup], statistic: Statistic) -> str:
    """What lines and bands are."""
    if any(len(group.records) > 1 for group in groups):
        return f"{means(statistic)}, 95 %"
    return "mean of episodes" if len(groups) > MOST_BANDS else "mean of episodes, 10 to 90 %"


def make_curve(records: Sequence[RunRecord], name: str, x: Progress, statistic: Statistic) -> Curve:
    """The curve of a group: over its runs with a 95 % interval, or of its only run over the episodes with quantiles.

    `name` is `return` or `cost`. Runs evaluated at different points are interpolated, as far as all of them reach.
    """
    metric, divisor, _ = SCALES[x]
    keys = [name if name == "return" else record.key(name) for record in records]
    xs = [np.array([row[metric] for row in record.rows]) / divisor for record in records]
    if len(records) == 1:
        band = ([row.get(f"{keys[0]}_{end}", math.nan) for row in records[0].rows] for end in ("mean", "q10", "q90"))
        return Curve(xs[0], *(np.array(values) for values in band))
    ys = [np.array([row[f"{key}_mean"] for row in record.rows]) for key, record in zip(keys, records, strict=True)]
    common = xs[0]
    if any(not np.array_equal(each, common) for each in xs):
        common = np.linspace(max(each[0] for each in xs), min(each[-1] for each in xs), POINTS)
    values = np.stack([np.interp(common, *pair) for pair in zip(xs, ys, strict=True)])  # [S, T]
    return Curve(common, *bootstrap([values], statistic))


def styles(count: int) -> list[tuple[tuple[float, ...], str]]:
    """Color and dashes of each line: ten colors, then the same ones dashed."""
    from matplotlib import colormaps

    colors = [tuple(color) for color in colormaps["tab10"].colors]  # type: ignore[attr-defined]
    return [(colors[index % 10], DASHES[index // 10 % len(DASHES)]) for index in range(count)]


def mark_limits(axes: Axes, groups: Sequence[RunGroup], *, vertical: bool = False) -> None:
    """A thin dashed line at each limit, with its number; in its curve's color where each has a limit of its own."""
    limits = [group.records[0].limit for group in groups]
    own = 1 < len(set(limits)) == len(limits)
    for limit, (color, _) in dict(zip(limits, styles(len(groups)), strict=True)).items():
        shade = color if own else "black"
        line = axes.axvline if vertical else axes.axhline
        line(limit, color=shade, linestyle=(0, (4, 3)), linewidth=1)
        across, up = (limit, 0.995) if vertical else (0.995, limit)
        place = axes.get_xaxis_transform() if vertical else axes.get_yaxis_transform()
        below = "top" if vertical else "bottom"
        axes.text(across, up, f"limit {limit:g} ", transform=place, color=shade, fontsize=8, ha="right", va=below)


def means(statistic: Statistic) -> str:
    """The statistic in words."""
    return "mean over seeds" if statistic == "mean" else "interquartile mean over seeds"


def finish(figure: Figure, top: Axes, groups: Sequence[RunGroup], band: str) -> None:
    """Title and legend: what all runs share above the picture, what tells them apart beside it."""
    records = list(itertools.chain.from_iterable(group.records for group in groups))
    top.set_title(f"{shared(records)}    ({band})".strip(), fontsize=10, loc="left")
    if len(groups) > 1:
        figure.legend(*top.get_legend_handles_labels(), fontsize=8, loc="outside right upper", frameon=False)
