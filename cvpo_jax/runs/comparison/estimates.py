"""Mean or interquartile mean over runs, with 95 % intervals.

The interquartile mean leaves out the lowest and the highest quarter of the runs, rounded down: none of three, one each
of five. Its interval is a stratified bootstrap: runs are drawn anew within each stratum, such as a task.

Notation: S runs of a stratum, R resamples, T anything else, such as steps.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

Statistic = Literal["mean", "iqm"]

RESAMPLES = 2000
COVERAGE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float
    symmetric: bool = False
    """Whether the interval reaches as far below the value as above it."""

    @property
    def half(self) -> float:
        """Half the width of the interval."""
        return (self.high - self.low) / 2


def student(values: Sequence[float]) -> Estimate:
    """Mean of two values or more with its interval by Student's t."""
    array = np.array(values)
    mean, error = float(array.mean()), float(array.std(ddof=1)) / math.sqrt(len(array))
    half = error * float(stats.t.ppf((1 + COVERAGE) / 2, len(array) - 1))
    return Estimate(mean, mean - half, mean + half, symmetric=True)


def mean_text(values: Sequence[float]) -> str:
    """Mean and interval in words; a dash where a value is not known, no interval of a single one."""
    if any(math.isnan(value) for value in values):
        return "–"
    if len(values) == 1:
        return f"{values[0]:.1f}"
    estimate = student(values)
    return f"{estimate.value:.1f} ± {estimate.half:.1f}"


def center(values: np.ndarray, statistic: Statistic, axis: int = 0) -> np.ndarray:
    """Mean or interquartile mean along `axis`; NaN where any value is."""
    if statistic == "mean":
        return np.asarray(values.mean(axis))
    unknown = np.isnan(values).any(axis)
    return np.where(unknown, np.nan, stats.trim_mean(np.nan_to_num(values), 0.25, axis))


def bootstrap(strata: Sequence[np.ndarray], statistic: Statistic) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The statistic of all runs and both ends of its interval `[T]`, from strata `[S, T]`.

    The same runs give the same interval: the draws have a fixed seed.
    """
    rng = np.random.default_rng(0)
    drawn = [stratum[rng.integers(len(stratum), size=(RESAMPLES, len(stratum)))] for stratum in strata]
    resampled = center(np.concatenate(drawn, axis=1), statistic, axis=1)  # [R, T]
    low, high = np.quantile(resampled, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2], axis=0)
    return center(np.concatenate(strata), statistic), low, high


def over_runs(strata: Sequence[Sequence[float]], statistic: Statistic) -> Estimate:
    """The estimate of one quantity: by Student's t the mean of one stratum, else by the bootstrap."""
    if statistic == "mean" and len(strata) == 1:
        return student(strata[0])
    value, low, high = bootstrap([np.array(stratum) for stratum in strata], statistic)
    return Estimate(float(value), float(low), float(high))
