"""Return against cost: what a policy earns for the cost it is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cvpo_jax.runs.comparison.curves import finish, mark_limits, means, styles
from cvpo_jax.runs.comparison.estimates import Statistic, bootstrap
from cvpo_jax.runs.comparison.figures import mean_of
from cvpo_jax.runs.comparison.records import RunGroup, RunRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_frontier(figure: Figure, groups: Sequence[RunGroup], last: int, statistic: Statistic) -> None:
    """A point for each run, from its last `last` evaluations, and for each group one with its 95 % intervals.

    A line joins groups of the same task and mode in the order of their limits.
    """
    axes = figure.subplots()
    centers = []
    for group, (color, _) in zip(groups, styles(len(groups)), strict=True):
        points = np.array([pooled(record, last) for record in group.records])  # [S, 2]
        center, low, high = bootstrap([points], statistic)
        centers.append(center)
        alone = len(points) == 1
        axes.plot(*points.T, "o", color=color, markersize=6 if alone else 4, alpha=1 if alone else 0.35)
        if alone:
            axes.plot([], [], "o", color=color, label=group.label)
            continue
        across, up = ([[center[at] - low[at]], [high[at] - center[at]]] for at in (0, 1))
        axes.errorbar(center[0], center[1], xerr=across, yerr=up, fmt="o", color=color, capsize=3, label=group.label)
    _join(axes, groups, centers)
    mark_limits(axes, groups, vertical=True)
    axes.set_xlabel(f"cost of an episode, last {last} evaluations")
    axes.set_ylabel(f"return of an episode, last {last} evaluations")
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    several = any(len(group.records) > 1 for group in groups)
    finish(figure, axes, groups, f"{means(statistic)}, 95 %; faint: each run" if several else "a point for each run")


def pooled(record: RunRecord, last: int) -> tuple[float, float]:
    """Cost and return over a run's last evaluations."""
    late = record.rows[-last:]
    return mean_of(late, f"{record.key('cost')}_mean"), mean_of(late, "return_mean")


def _join(axes: Axes, groups: Sequence[RunGroup], centers: Sequence[np.ndarray]) -> None:
    """A line through the groups of several runs that differ in nothing but the limit."""
    lines: dict[tuple[str, str], list[tuple[float, np.ndarray]]] = {}
    for group, center in zip(groups, centers, strict=True):
        if len(group.records) > 1:
            first = group.records[0]
            lines.setdefault((first.task, first.mode), []).append((first.limit, center))
    for points in lines.values():
        ordered = np.array([center for _, center in sorted(points, key=lambda point: point[0])])
        axes.plot(*ordered.T, color="grey", linewidth=1, zorder=0)
