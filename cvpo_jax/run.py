"""Train: `python -m cvpo_jax.run EXPERIMENT [--section.option value …]`, or `--resume RUN_DIR` to go on with a run."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from cvpo_jax import cli
from cvpo_jax.config import Config, ConfigError
from cvpo_jax.config.load import load_experiment, parse_overrides
from cvpo_jax.plot import plot_run, table
from cvpo_jax.runs.directory import load_config
from cvpo_jax.runtime import compilation_cache, distributed, launcher, memory
from cvpo_jax.training.train import train

USAGE = "python -m cvpo_jax.run EXPERIMENT [--resume RUN_DIR]"
DESCRIPTION = (
    "Train a policy under a limit on cost. EXPERIMENT is a file with get_config(), as in experiments/. "
    "--resume RUN_DIR goes on with a run from its latest checkpoint, under its own options and those given here. "
    "--distributed: one of several processes that train together, as srun, a Kubernetes job and a TPU slice are "
    "known to start them; --no-distributed: alone even there. See docs/sweeps.md."
)
DISTRIBUTED, ALONE = "--distributed", "--no-distributed"


def read_command(arguments: Sequence[str]) -> tuple[Config, Path | None]:
    """The configuration to train, and the run to go on with if any; raises ConfigError."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    first.add_argument("--resume", type=Path, metavar="RUN_DIR")
    try:
        known, rest = first.parse_known_args(arguments)
    except argparse.ArgumentError as error:
        raise ConfigError(f"{error}: give a run directory, as in --resume runs/NAME") from error
    resume: Path | None = known.resume
    experiment = load_experiment(rest.pop(0)) if rest and not rest[0].startswith("-") else None
    if resume:
        default = _resumed(resume, experiment)
    elif experiment:
        default = experiment
    elif {"-h", "--help"} & set(rest):
        default = Config()
    else:
        raise ConfigError("name an experiment first, as in experiments/point_goal.py, or give --resume RUN_DIR")
    config = parse_overrides(default, rest, USAGE, DESCRIPTION).validate()
    if resume and config.run_dir != default.run_dir:
        raise ConfigError(f"--run_dir is {config.run_dir}: a resumed run stays in {resume}; leave the option out")
    return config, resume


def _resumed(run_dir: Path, experiment: Config | None) -> Config:
    """The configuration of the run in `run_dir`, which must be of the experiment's task if one is named."""
    stored = load_config(run_dir)
    if experiment and experiment.env.id != stored.env.id:
        raise ConfigError(
            f"{run_dir} is a run of {stored.env.id}, not of {experiment.env.id}: leave the experiment out"
        )
    # Unless the command line names a number, as many devices as before: `directory.resumable` fills it in.
    train = dataclasses.replace(stored.train, devices=None)
    return dataclasses.replace(stored, train=train, run_dir=str(run_dir))


def command(arguments: Sequence[str]) -> None:
    """Train, then show the result."""
    compilation_cache.enable_cache()
    if DISTRIBUTED in arguments or (ALONE not in arguments and launcher.launched_together()):
        distributed.join()
    with distributed.ending_together():
        config, resume = read_command([word for word in arguments if word not in (DISTRIBUTED, ALONE)])
        distributed.require_same(config.to_json())
        run_dir = train(config, resume=resume)
    if distributed.is_first():
        print(table(run_dir))
        print(f"learning curve: {plot_run(run_dir)}")
        print(memory.describe())


if __name__ == "__main__":
    cli.leave(cli.main(command))
