"""The trials of a sweep: which there are, how far each has come, and which are trained together."""

import hashlib
import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cvpo_jax.config import Config, ConfigError
from cvpo_jax.config.load import parse_overrides
from cvpo_jax.runs import directory
from cvpo_jax.runs.checkpoint import KEEP_LATEST
from cvpo_jax.runs.metrics import Row, read_metrics
from cvpo_jax.training import population

PROBLEM = "problem.txt"
MOST = 10_000
"""Trials of a sweep."""
LONGEST_NAME = 240
"""Bytes of a folder's name: file systems allow 255."""
Grid = dict[str, list[str]]
"""Options, such as `algo.kl_estep`, and the values of each."""


@dataclass(frozen=True)
class Trial:
    """One run of a sweep; its directory is `config.run_dir`."""

    settings: dict[str, str]
    config: Config

    @property
    def run_dir(self) -> Path:
        """Where the run is, or will be."""
        return Path(self.config.run_dir or "")

    @property
    def problem(self) -> str:
        """Why the trial failed; empty where it has not."""
        path = self.run_dir / PROBLEM
        return path.read_text().strip() if path.exists() else ""

    @property
    def steps(self) -> tuple[int, ...]:
        """Steps of the latest checkpoints, in order, as many as are always kept."""
        folder = self.run_dir / "checkpoints"
        found = sorted(int(path.name) for path in folder.glob("*") if path.name.isdigit())
        return tuple(found[-KEEP_LATEST:])

    @property
    def rows(self) -> list[Row]:
        """Its evaluations so far."""
        return read_metrics(self.run_dir)

    @property
    def status(self) -> str:
        """`failed`, `done`, `begun` or `waiting`."""
        if self.problem:
            return "failed"
        steps, train = self.steps, self.config.train
        if not steps:
            return "waiting"
        seconds = max((row["seconds"] for row in self.rows if row["step"] <= steps[-1]), default=0.0)
        return "done" if train.out_of_time(seconds) or steps[-1] >= self.config.scale.steps else "begun"

    def check(self) -> None:
        """Raise ConfigError where its directory holds a run under other options, length and evaluation apart."""
        if not (self.run_dir / "config.json").exists():
            return
        stored, wanted = (_lasting(config) for config in (directory.load_config(self.run_dir), self.config))
        for section in ("env", "algo", "controller", "train"):
            was, now = vars(getattr(stored, section)), vars(getattr(wanted, section))
            for name in now:
                if was[name] != now[name]:
                    raise ConfigError(
                        f"--{section}.{name} is {now[name]}, but {self.run_dir} was made with {was[name]}: "
                        "name another --sweep_dir"
                    )


@dataclass(frozen=True)
class Group:
    """Trials of equal shape that resume from the same step; 0: from the start."""

    trials: tuple[Trial, ...]
    step: int


def parse_grid(texts: Sequence[str]) -> Grid:
    """Read `section.option=v1,v2`; values with commas are separated by `;`. Raises ConfigError."""
    grid: Grid = {}
    for text in texts:
        option, sign, values = text.partition("=")
        option = option.removeprefix("--").replace("-", "_")
        each = [value.strip() for value in values.split(";" if ";" in values else ",")]
        if not sign or not all(each):
            raise ConfigError(f"--grid {text} is not of the form section.option=v1,v2, as in algo.kl_estep=0.05,0.1")
        if option in grid:
            raise ConfigError(f"--grid {text}: {option} is in the grid twice; give all its values at once")
        if option in ("train.seed", "run_dir"):
            raise ConfigError(f"--grid {text}: {option} cannot be in the grid; --seeds and --sweep_dir set it")
        grid[option] = each
    return grid


def expand(config: Config, seeds: int, grid: Grid, sweep_dir: Path) -> list[Trial]:
    """Each combination of the grid under `seeds` seeds, from that of `config` on; raises ConfigError."""
    count = seeds * math.prod(len(values) for values in grid.values())
    if count > MOST:
        raise ConfigError(f"--seeds is {seeds}: these are {count:,} trials, and a sweep has at most {MOST:,}")
    trials: list[Trial] = []
    for values in itertools.product(*grid.values()):
        chosen = dict(zip(grid, values, strict=True))
        changed = override(config, chosen)
        for seed in range(config.train.seed, config.train.seed + seeds):
            trials.append(under_seed(changed, chosen, seed, sweep_dir))
    _require_different(trials)
    return trials


def _require_different(trials: Sequence[Trial]) -> None:
    """Raise ConfigError where two trials are the same training, or would share a folder."""
    seen: dict[str, Trial] = {}
    for trial in trials:
        for key in (str(trial.run_dir), replace(trial.config, run_dir=None).to_json()):
            other = seen.setdefault(key, trial)
            if other is not trial:
                pair = " and ".join(
                    " ".join(f"{name}={value}" for name, value in each.settings.items()) for each in (other, trial)
                )
                raise ConfigError(f"--grid gives the same trial twice, as {pair}: leave one out")


def override(config: Config, options: dict[str, str]) -> Config:
    """`config` with options such as `algo.kl_estep` set; raises ConfigError."""
    words = itertools.chain.from_iterable((f"--{name}", *value.split()) for name, value in options.items())
    return parse_overrides(config, list(words), "--grid", "")


def under_seed(config: Config, options: dict[str, str], seed: int, sweep_dir: Path) -> Trial:
    """The trial of `config`, in which `options` are set, under a seed; raises ConfigError."""
    settings = options | {"seed": str(seed)}
    name = re.sub(r"[^\w.+=-]+", "-", "_".join(f"{option}={value}" for option, value in settings.items()))
    if len(name.encode()) > LONGEST_NAME:
        digest = hashlib.sha256(name.encode()).hexdigest()[:12]
        name = f"{name.encode()[: LONGEST_NAME - 40].decode(errors='ignore')}_{digest}_seed={seed}"
    run_dir = sweep_dir / name
    begun = directory.load_config(run_dir) if (run_dir / "config.json").exists() else None
    config = replace(config, train=replace(config.train, seed=seed), run_dir=str(run_dir))
    return Trial(settings, config.validate().complete(begun))


def share(trials: Sequence[Trial], part: int, parts: int) -> list[Trial]:
    """The trials of one of several processes: as many as the others have, of as few shapes as possible."""
    shapes = [population.shape(trial.config) for trial in trials]
    ordered = sorted(trials, key=lambda trial: shapes.index(population.shape(trial.config)))
    return ordered[part * len(trials) // parts : (part + 1) * len(trials) // parts]


def group(trials: Sequence[Trial]) -> list[Group]:
    """The trials that are neither done nor failed, in groups that can be trained together."""
    unfinished = [trial for trial in trials if trial.status in ("begun", "waiting")]
    shapes = dict.fromkeys(population.shape(trial.config) for trial in unfinished)
    alike = ([trial for trial in unfinished if population.shape(trial.config) == shape] for shape in shapes)
    return [Group(tuple(together), step) for trials in alike for step, together in _aligned(trials)]


def _aligned(trials: Sequence[Trial]) -> Iterator[tuple[int, list[Trial]]]:
    """Trials that can start from the same step.

    After a kill some may be one checkpoint ahead: they go back to the last one that the others have too.
    """
    left = sorted(trials, key=lambda trial: trial.steps[-1:])
    while left:
        step = left[0].steps[-1] if left[0].steps else 0
        together = [trial for trial in left if (step in trial.steps if step else not trial.steps)]
        yield step, together
        left = [trial for trial in left if trial not in together]


def _lasting(config: Config) -> Config:
    """`config` without the options that a run may be extended under."""
    train = replace(config.train, devices=None, steps=1, max_minutes=None)
    return replace(config, train=train, eval=type(config.eval)(), run_dir=None)
