"""A search by Optuna: the options with the highest return whose costs stay within their limits.

It is asked for several points at once, their trials are trained together, as populations where shapes allow, and it is
told what came of them. A point is what is set in the space of options; each has a trial under every seed.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cvpo_jax.config import Config, ConfigError
from cvpo_jax.config.names import metric_name
from cvpo_jax.sweeps import trials
from cvpo_jax.sweeps.trials import Trial

RESERVED = ("train.seed", "run_dir")
FORM = "section.option=LOW..HIGH, with :log behind it for a scale of factors, or section.option=v1,v2"
OPTIONS, SETUP, PROBLEM = "options", "setup", "problem"
"""What is stored with a point and with the study."""


@dataclass(frozen=True)
class Dimension:
    """An option and what it may be: numbers between two, or one of several values."""

    option: str
    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    whole: bool = False
    log: bool = False

    def suggest(self, point: Any) -> str:
        """What Optuna wants to try at a point, as it is typed on the command line; numbers in four digits."""
        if self.choices:
            return str(point.suggest_categorical(self.option, self.choices))
        if self.whole:
            return str(point.suggest_int(self.option, int(self.low), int(self.high), log=self.log))
        return f"{point.suggest_float(self.option, self.low, self.high, log=self.log):.4g}"

    def ends(self) -> tuple[str, ...]:
        """Values that all have to be valid."""
        return self.choices or (f"{self.low:.10g}", f"{self.high:.10g}")


@dataclass(frozen=True)
class Search:
    """What is searched, and how."""

    config: Config
    space: tuple[Dimension, ...]
    sweep_dir: Path
    points: int
    seeds: int
    at_once: int
    last: int

    def trials_of(self, options: dict[str, str]) -> list[Trial]:
        """The trials of a point, one for each seed; raises ConfigError."""
        first = self.config.train.seed
        changed = trials.override(self.config, options)
        return [trials.under_seed(changed, options, seed, self.sweep_dir) for seed in range(first, first + self.seeds)]

    def check(self) -> None:
        """Raise ConfigError for values of the space that cannot be trained with."""
        for dimension in self.space:
            for value in dimension.ends():
                self.trials_of({dimension.option: value})

    def setup(self) -> str:
        """What all points of a study have in common, in words."""
        return f"{self.space} {self.seeds} {self.last} {replace(self.config, run_dir=None).to_json()}"


def parse_space(texts: Sequence[str]) -> tuple[Dimension, ...]:
    """Read `section.option=LOW..HIGH[:log]` and `section.option=v1,v2`; raises ConfigError."""
    found = [_dimension(text) for text in texts]
    names = [dimension.option for dimension in found]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"--space has {name} twice: give all its values at once")
        if name in RESERVED:
            raise ConfigError(f"--space has {name}: --seeds and --sweep_dir set it")
    return tuple(found)


def _dimension(text: str) -> Dimension:
    option, _, values = text.partition("=")
    option = option.removeprefix("--").replace("-", "_")
    low, dots, rest = values.partition("..")
    if option and values and not dots:
        choices = tuple(value.strip() for value in values.split(";" if ";" in values else ","))
        if all(choices):
            return Dimension(option, choices)
    high, _, scale = rest.partition(":")
    try:
        ends = (float(low), float(high))
    except ValueError:
        ends = (math.nan, math.nan)
    if not (option and ends[0] < ends[1] and math.isfinite(ends[1] - ends[0]) and scale in ("", "log")):
        raise ConfigError(f"--space {text} is not of the form {FORM}, as in algo.kl_estep=0.05..0.4:log")
    if scale and ends[0] <= 0:
        raise ConfigError(f"--space {text}: a scale of factors begins above 0")
    whole = all(part.strip().lstrip("+-").isdigit() for part in (low, high))
    return Dimension(option, (), *ends, whole=whole, log=bool(scale))


def run_search(search: Search, study: Any, train: Callable[[list[Trial], list[Trial]], None]) -> bool:
    """Ask, train and tell until all points are done; False if the training was stopped before.

    `train` gets all trials so far and those to train now, which it leaves done, failed or, where it was stopped, begun.
    Raises ConfigError where the study was begun with another space, experiment or number of seeds.
    """
    if study.user_attrs.setdefault(SETUP, search.setup()) != search.setup():
        raise ConfigError(
            f"{search.sweep_dir} holds a search of another space, experiment or seeds: name another --sweep_dir"
        )
    study.set_user_attr(SETUP, search.setup())
    _ask_again(study)
    while (left := search.points - len(told(study))) > 0:
        points = [study.ask() for _ in range(min(search.at_once, left))]
        asked = [search.trials_of(_options(search, point)) for point in points]
        before = [trial for point in told(study) for trial in search.trials_of(point.user_attrs[OPTIONS])]
        now = list({trial.run_dir: trial for trials_of in asked for trial in trials_of}.values())
        train(list({trial.run_dir: trial for trial in (*before, *now)}.values()), now)
        if any(trial.status in ("begun", "waiting") for trial in now):
            return False
        for point, trials_of in zip(points, asked, strict=True):
            _tell(study, point, trials_of, search.last)
    return True


def told(study: Any) -> list[Any]:
    """The points that are done, those whose training failed among them."""
    return [point for point in study.trials if point.state.name == "COMPLETE" or PROBLEM in point.user_attrs]


def _options(search: Search, point: Any) -> dict[str, str]:
    options = {dimension.option: dimension.suggest(point) for dimension in search.space}
    point.set_user_attr(OPTIONS, options)
    return options


def _ask_again(study: Any) -> None:
    """Have points that were being trained when the search ended asked first; their trials resume where they stopped."""
    for point in study.trials:
        if point.state.name == "RUNNING":
            study.tell(point.number, state=_state(point, "FAIL"))
            study.enqueue_trial(point.params)


def _tell(study: Any, point: Any, trials_of: Sequence[Trial], last: int) -> None:
    """Tell the return, with how far each cost is above its limit; or that the training failed."""
    problem = next((trial.problem for trial in trials_of if trial.problem), "")
    if problem:
        point.set_user_attr(PROBLEM, problem)
        study.tell(point, state=_state(study.trials[point.number], "FAIL"))
        return
    limits = trials_of[0].config.algo.judged_limits
    for index, limit in enumerate(limits):
        name = metric_name("cost", index, len(limits))
        point.set_constraint(name, pooled(trials_of, f"{name}_mean", last) - limit)
    study.tell(point, pooled(trials_of, "return_mean", last))


def pooled(trials_of: Sequence[Trial], name: str, last: int) -> float:
    """Mean of a metric over the last evaluations of each trial, and over the trials."""
    return statistics.fmean(statistics.fmean(row[name] for row in trial.rows[-last:]) for trial in trials_of)


def _state(point: Any, name: str) -> Any:
    """Optuna's state of that name, without importing it here."""
    return type(point.state)[name]


def within(point: Any) -> bool:
    """Whether the costs of a point that was told stayed within their limits."""
    return all(above <= 0 for above in point.constraints.values())


def best(study: Any) -> Any:
    """The point with the highest return within the limits, or else that which exceeds them least; None: all failed."""
    done = [point for point in study.trials if point.state.name == "COMPLETE"]
    kept = [point for point in done if within(point)]
    if kept:
        return max(kept, key=lambda point: point.value)
    return min(done, key=lambda point: sum(max(0.0, above) for above in point.constraints.values()), default=None)
