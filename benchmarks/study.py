"""Compare variants of an experiment over seeds: `python benchmarks/study.py STUDY.json FOLDER [--only VARIANT …]`.

STUDY.json names the experiment, options that all variants have in common, the number of seeds, and the variants with
the options of each; benchmarks/studies holds those that defaults were decided by. All seeds of a variant are trained as
one population, without checkpoints, into `FOLDER/<study>/<variant>/seed<S>`; what is finished is left alone. With
`--jobs N` so many variants are trained side by side, each in a process of its own with its log beside its seeds.
`--table` prints what is there: return and cost at some steps with 95 % intervals over seeds, and the best return of an
evaluation within the limit so far.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from logged import logged
from many_seeds import prepare, run, run_dir

from cvpo_jax.config import Config, ConfigError
from cvpo_jax.config.load import load_experiment
from cvpo_jax.runs.comparison.estimates import mean_text
from cvpo_jax.runs.metrics import Row, read_metrics
from cvpo_jax.runtime import compilation_cache, devices
from cvpo_jax.sweeps.trials import override
from cvpo_jax.training import population
from envs import host_scope

STEPS = (250_000, 500_000, 1_000_000, 2_000_000)


@dataclass(frozen=True)
class Study:
    """What a STUDY.json says."""

    name: str
    experiment: str
    common: dict[str, str]
    seeds: int
    variants: dict[str, dict[str, str]]

    @classmethod
    def read(cls, path: Path) -> "Study":
        """Raises ConfigError where the file is not one."""
        try:
            return cls(name=path.stem, **json.loads(path.read_text()))
        except (OSError, TypeError, json.JSONDecodeError) as error:
            raise ConfigError(f"{path} is not a study: {error}") from error

    def trials(self, variant: str, folder: Path) -> list[Config]:
        """The configurations of a variant, one a seed, each with its directory."""
        config = override(load_experiment(self.experiment), self.common | self.variants[variant]).validate()
        return [
            replace(
                config,
                train=replace(config.train, seed=seed),
                run_dir=str(folder / self.name / variant / f"seed{seed}"),
            )
            for seed in range(self.seeds)
        ]


def finished(config: Config) -> bool:
    """Whether a trial's evaluations go as far as its steps."""
    rows = read_metrics(run_dir(config)) if run_dir(config).exists() else []
    return bool(rows) and rows[-1]["step"] >= config.scale.steps


def train(study: Study, variants: Sequence[str], folder: Path) -> None:
    """Train the variants that are not finished, one population after the other."""
    for variant in variants:
        trials = study.trials(variant, folder)
        if all(finished(config) for config in trials):
            continue
        print(f"== {study.name}: {variant}", flush=True)
        with host_scope():
            trainer = population.build(trials, devices.select(None))
            prepare(trainer.trials)
            run(trainer)


def train_side_by_side(options: argparse.Namespace, variants: Sequence[str]) -> None:
    """Train each variant in a process of its own, `options.jobs` at a time, in the given order."""

    def one(variant: str) -> None:
        log = options.folder / options.study.stem / f"{variant}.log"
        command = [sys.executable, __file__, str(options.study), str(options.folder), "--only", variant]
        print(f"{variant}: {'trained' if logged(command, log) else f'failed, see {log}'}", flush=True)

    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(one, variants))


def table(study: Study, folder: Path) -> str:
    """A line for each variant and number of steps that its trials have reached."""
    lines = ["| variant | steps | seeds | return | cost | best return within the limit |", "|---|---|---|---|---|---|"]
    for variant in study.variants:
        trials = study.trials(variant, folder)
        rows = [read_metrics(run_dir(trial)) for trial in trials if run_dir(trial).exists()]
        for steps in STEPS:
            reached = [[row for row in each if row["step"] <= 1.02 * steps] for each in rows]
            reached = [each for each in reached if each and each[-1]["step"] >= 0.9 * steps]
            if reached:
                limit = trials[0].algo.cost_limit
                cells = (mean_text([each[-1][key] for each in reached]) for key in ("return_mean", "cost_mean"))
                best = mean_text([_best(each, limit) for each in reached])
                lines.append(f"| {variant} | {steps:,} | {len(reached)} | {' | '.join(cells)} | {best} |")
    return "\n".join(lines)


def _best(rows: list[Row], limit: float) -> float:
    """The best return of an evaluation whose cost was within the limit; NaN where there was none."""
    return max((row["return_mean"] for row in rows if row["cost_mean"] <= limit), default=float("nan"))


def main() -> None:
    """Read the command line, train, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(".")[0], allow_abbrev=False)
    parser.add_argument("study", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", help="variants to train, in this order")
    parser.add_argument("--jobs", type=int, default=1, help="variants to train side by side")
    parser.add_argument("--table", action="store_true", help="train nothing, print what is there")
    options = parser.parse_args()
    try:
        study = Study.read(options.study)
        unknown = set(options.only or ()) - set(study.variants)
        if unknown:
            raise ConfigError(f"--only {' '.join(sorted(unknown))}: the variants are {', '.join(study.variants)}")
        variants = options.only or list(study.variants)
        if options.jobs > 1 and not options.table:
            train_side_by_side(options, variants)
        elif not options.table:
            compilation_cache.enable_cache()
            train(study, variants, options.folder)
        print(table(study, options.folder))
    except ConfigError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
