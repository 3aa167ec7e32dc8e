"""The table of all tasks, as the page docs/lab/marks.md."""

import math
import statistics
from collections.abc import Sequence

import numpy as np
from marks_tasks import METHODS, TASKS, Entry, Task

from cvpo_jax.runs.comparison.estimates import COVERAGE, RESAMPLES, Estimate, mean_text, over_runs
from cvpo_jax.runs.comparison.figures import Summary, summarize

LAST = 5
"""Evaluations at the end that return and cost are pooled over."""
LIMIT = 25.0
FEWEST = 3
"""Seeds of both methods that a task needs to count over tasks: of one seed a bootstrap tells no spread."""
HEAD = ("task", "method", "seeds", "return", "cost", "over", "excess", "safe after", "best published", "mark")

INTRODUCTION = """# All tasks

<!-- Written by `python benchmarks/marks.py --table`. -->

The default configuration on every ported task, under a limit of 25: 512 environments, 10.2 million steps, some 40,000
updates. Nothing was tuned on a task except SafetyPointGoal1.

    python benchmarks/marks.py            # trains what is missing, and writes this page again
    python benchmarks/marks.py --plan     # what is missing

Return and cost are pooled over the last five evaluations, 100 deterministic episodes each, and given as the mean over
seeds with its 95 % interval (Student's t). *Over* is the share of training episodes above the limit, *excess* the cost
by which they exceeded it on average. *Safe after* are the steps, in millions, until three evaluations in a row kept the
limit (median over seeds; in parentheses the seeds that came to it). Published figures are of the original
Safety-Gymnasium at a cost of at most 25, from the tables of
[OmniSafe](https://github.com/PKU-Alignment/omnisafe/tree/main/benchmarks), Safety-Gymnasium and FSRL; those read off a
picture are about ±1. A mark in bold is met within the limit.
"""


def page() -> str:
    """The whole page."""
    rows = [row for task in TASKS for row in _rows(task)]
    missing = [task.id for task in TASKS if not any(Entry(task.id, method).stored() for method in METHODS)]
    parts = [INTRODUCTION, "\n".join([_line(HEAD), "|---" * len(HEAD) + "|", *map(_line, rows)])]
    if missing:
        parts.append(f"Not trained yet: {', '.join(missing)}.")
    parts.append(_aggregate())
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _rows(task: Task) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for method in METHODS:
        runs = _summaries(task.id, method)
        if runs:
            returns, costs = ([run.figures[name] for run in runs] for name in ("pooled_return", "pooled_cost"))
            first = not rows
            rows.append(
                (
                    task.id if first else "",
                    METHODS[method].label,
                    str(len(runs)),
                    mean_text(returns),
                    mean_text(costs),
                    f"{statistics.fmean(run.figures['train_over_limit'] for run in runs):.2f}",
                    f"{statistics.fmean(run.figures['train_excess'] for run in runs):.1f}",
                    _safe(runs),
                    _published(task) if first else "",
                    _mark(task, returns, costs),
                )
            )
    return rows


def _summaries(task: str, method: str) -> list[Summary]:
    return [summarize(record, LAST) for _, record in sorted(Entry(task, method).stored().items())]


def _safe(runs: Sequence[Summary]) -> str:
    reached = [run.figures["safe_steps"] for run in runs if not math.isnan(run.figures["safe_steps"])]
    median = f"{statistics.median(reached) / 1e6:.1f} " if reached else ""
    return f"{median}({len(reached)} of {len(runs)})"


def _published(task: Task) -> str:
    if task.published is None:
        return "none found"
    return f"{task.published:g} @ {task.published_cost:g} ({task.source})"


def _mark(task: Task, returns: Sequence[float], costs: Sequence[float]) -> str:
    if task.mark is None:
        return ""
    met = statistics.fmean(returns) >= task.mark and statistics.fmean(costs) <= LIMIT
    return f"**{task.mark:g}**" if met else f"{task.mark:g}"


def _aggregate() -> str:
    """Both algorithms over the tasks that each was trained on, as Agarwal et al. (2021, arXiv 2108.13264) aggregate."""
    methods = ("cvpo", "sac_lag")
    known = [task for task in TASKS if task.unconstrained]
    both = [task for task in known if min(len(_summaries(task.id, method)) for method in methods) >= FEWEST]
    if len(both) < 2:
        return ""
    scores = {method: [_scores(task, method) for task in both] for method in methods}
    centers = {method: over_runs([list(each) for each in found], "iqm") for method, found in scores.items()}
    chance = probability_of_improvement(scores["cvpo"], scores["sac_lag"])
    lines = [
        "## Over tasks",
        "",
        f"Returns as a share of the unconstrained return, over the {len(both)} tasks for which it is known and both",
        f"have {FEWEST} seeds or more: interquartile mean with a 95 % interval by stratified bootstrap. Costs differ,",
        "as shown.",
        "",
        *(f"- {METHODS[method].label}: {_text(estimate)}" for method, estimate in centers.items()),
        f"- Probability that a run of CVPO has the higher return: {_text(chance)}",
    ]
    return "\n".join(lines)


def _scores(task: Task, method: str) -> np.ndarray:
    assert task.unconstrained
    return np.array([run.figures["pooled_return"] / task.unconstrained for run in _summaries(task.id, method)])


def _text(estimate: Estimate) -> str:
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"


def probability_of_improvement(ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray]) -> Estimate:
    """How likely a run of `ours` scores higher than one of `theirs` on the same task; an array of scores `[S]` a task.

    A tie counts half. The mean over tasks, with the interval of a stratified bootstrap.
    """
    rng = np.random.default_rng(0)

    def chance(pairs: list[tuple[np.ndarray, np.ndarray]]) -> float:
        signs = [np.sign(a[:, None] - b[None, :]).mean() for a, b in pairs]
        return float(np.mean(signs) / 2 + 0.5)

    pairs = list(zip(ours, theirs, strict=True))
    drawn = [chance([(rng.choice(a, len(a)), rng.choice(b, len(b))) for a, b in pairs]) for _ in range(RESAMPLES)]
    low, high = np.quantile(drawn, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return Estimate(chance(pairs), float(low), float(high))
