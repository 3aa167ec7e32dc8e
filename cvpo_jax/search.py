"""Search for options: `python -m cvpo_jax.search EXPERIMENT --space algo.kl_estep=0.05..0.4:log … [--points N]`.

Optuna chooses what to try next, for the highest return whose mean cost stays within the limit. The same command again
resumes, and goes on where --points is greater.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import UseAppendAction, arg

from cvpo_jax import cli
from cvpo_jax.config.errors import ConfigError, require
from cvpo_jax.sweep import experiment_of

if TYPE_CHECKING:
    from cvpo_jax.sweeps.search import Search
    from cvpo_jax.sweeps.trials import Trial

MISSING = "Optuna 5 is not installed: pip install 'optuna>=5', or the extra `optuna`, adds it"
JOURNAL = "search.journal"


@dataclass(frozen=True)
class SearchOptions:
    """Search for the options with the highest return within the limits on cost, many trials at once."""

    space: Annotated[tuple[tuple[str, ...], ...], UseAppendAction, arg(metavar="OPTION=LOW..HIGH[:log] [...]")] = ()
    """Options and what they may be, as algo.kl_estep=0.05..0.4:log for numbers, on a scale of factors, or
    algo.n_step=3,6 for single values."""
    points: int = 32
    """Combinations of values that are tried in all."""
    at_once: int = 8
    """Points that are chosen and trained together, before the next ones are chosen."""
    seeds: int = 1
    """Seeds of each point, from --train.seed on; it counts by their mean."""
    last: int = 5
    """Evaluations at the end that return and cost are the mean of."""
    per_device: int | None = None
    """Trials at a time on a device; None: as many as fit."""
    sweep_dir: Path | None = None
    """Where the run directories go; None: runs/search-EXPERIMENT."""


def import_optuna() -> Any:
    """`optuna`, which logs warnings only; raises ConfigError with the remedy where it is missing or too old."""
    try:
        import optuna
    except ImportError as error:
        raise ConfigError(MISSING) from error
    if not hasattr(optuna.trial.Trial, "set_constraint"):
        raise ConfigError(f"optuna is {optuna.__version__}, without constraints of a trial's own. {MISSING}")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def make_search(invocation: cli.Invocation[SearchOptions]) -> Search:
    """What the command line says; uses no device. Raises ConfigError."""
    options = invocation.options
    for name in ("points", "at_once", "seeds", "last", "per_device"):
        value = getattr(options, name)
        require(value is None or value >= 1, f"--{name} is {value}: at least 1 is needed")
    config, stem = experiment_of(invocation)
    require(bool(options.space), "--space is missing: name what to search, as --space algo.kl_estep=0.05..0.4:log")
    from cvpo_jax.sweeps.search import Search, parse_space

    search = Search(
        config=config,
        space=parse_space(list(chain(*options.space))),
        sweep_dir=options.sweep_dir or Path("runs") / f"search-{stem}",
        points=options.points,
        seeds=options.seeds,
        at_once=options.at_once,
        last=options.last,
    )
    search.check()
    return search


def open_study(optuna: Any, search: Search) -> Any:
    """The study that is kept in the search's directory, begun if there is none."""
    search.sweep_dir.mkdir(parents=True, exist_ok=True)
    backend = optuna.storages.journal.JournalFileBackend(str(search.sweep_dir / JOURNAL))
    study = optuna.create_study(
        storage=optuna.storages.journal.JournalStorage(backend),
        study_name="search",
        direction="maximize",
        load_if_exists=True,
    )
    # By how many were asked, or else a resumed search would draw the same numbers again.
    study.sampler = optuna.samplers.TPESampler(seed=search.config.train.seed + len(study.trials))
    return study


def trainer(search: Search, per_device: int | None) -> Any:
    """What trains trials, a round after the other, and says what is best so far after each."""
    from cvpo_jax.runtime import compilation_cache, devices
    from cvpo_jax.sweeps import runner

    compilation_cache.enable_cache()
    chosen = devices.select(search.config.train.devices)

    def train(every: list[Trial], now: list[Trial]) -> None:
        print(f"{len(every) // search.seeds} of {search.points} points")
        runner.run_plan(runner.Plan(search.sweep_dir, every, now, chosen, per_device))

    return train


def describe(study: Any, search: Search, invocation: cli.Invocation[SearchOptions]) -> str:
    """The best point and the command that trains it."""
    from cvpo_jax.sweeps.search import OPTIONS, best, within

    point = best(study)
    if point is None:
        return "no point could be trained: problem.txt in its directory says why"
    limits = zip(point.constraints.items(), search.config.algo.judged_limits, strict=True)
    costs = ", ".join(f"{name} {limit + above:.1f} of {limit:g}" for (name, above), limit in limits)
    words = [f"--{name} {value}" for name, value in point.user_attrs[OPTIONS].items()]
    command = ["python -m cvpo_jax.run", *([str(invocation.experiment)] if invocation.experiment else [])]
    kept = "best within the limits" if within(point) else "none keeps the limits; closest to them"
    found = f"{kept}: return {point.value:.2f}, {costs}"
    return "\n".join([found, " ".join([*command, *invocation.overrides, *words])])


def command(arguments: Sequence[str]) -> None:
    """Search, and print the best."""
    invocation = cli.read_invocation(SearchOptions, "search", arguments)
    search = make_search(invocation)
    optuna = import_optuna()
    from cvpo_jax.sweeps.search import run_search

    study = open_study(optuna, search)
    if run_search(search, study, trainer(search, invocation.options.per_device)):
        print(describe(study, search, invocation))


if __name__ == "__main__":
    cli.leave(cli.main(command))
