"""Train a policy under a limit on cost: `python -m cvpo_jax.run EXPERIMENT [--section.option value …]`.

`--resume RUN_DIR` instead of, or with, an experiment continues a run from its latest checkpoint.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cvpo_jax import cli
from cvpo_jax.config import Config, ConfigError
from cvpo_jax.config.load import load_experiment
from cvpo_jax.runtime import launcher


@dataclass(frozen=True)
class RunOptions:
    """Train a policy under a limit on cost."""

    resume: Path | None = None
    """Directory of a run to continue from its latest checkpoint, under its own options and those given here."""
    log: str = ""
    """Where evaluations go besides metrics.jsonl and TensorBoard: any of wandb, mlflow and csv, between commas."""
    distributed: bool = False
    """One of several processes that train together; those of srun, a Kubernetes job and a TPU slice are recognized."""
    no_distributed: bool = False
    """Train alone, even if recognized as one of several."""


def make_config(invocation: cli.Invocation[RunOptions]) -> Config:
    """The configuration to train; raises ConfigError."""
    resume = invocation.options.resume
    if resume is None:
        if invocation.experiment is None and not invocation.names_env:
            raise ConfigError(
                "name an experiment, as in experiments/point_goal.py, a task by --env.id, or a run by --resume RUN_DIR"
            )
        return invocation.config()
    default = _resumed(resume, load_experiment(invocation.experiment) if invocation.experiment else None)
    config = invocation.config(default)
    if config.run_dir != default.run_dir:
        raise ConfigError(f"--run_dir is {config.run_dir}: a resumed run stays in {resume}; leave the option out")
    return config


def _resumed(run_dir: Path, experiment: Config | None) -> Config:
    """The configuration of the run in `run_dir`, which must be of the experiment's task if one is named."""
    from cvpo_jax.runs.directory import load_config

    stored = load_config(run_dir)
    if experiment and experiment.env.id != stored.env.id:
        raise ConfigError(
            f"{run_dir} is a run of {stored.env.id}, not of {experiment.env.id}: leave the experiment out"
        )
    # Unless the command line names a number, as many devices as before: `directory.resumable` fills it in.
    train = dataclasses.replace(stored.train, devices=None)
    return dataclasses.replace(stored, train=train, run_dir=str(run_dir))


def _join_others(options: RunOptions) -> None:
    """Meet the other processes if there are any: before an experiment's file can touch a device."""
    if options.distributed or (not options.no_distributed and launcher.launched_together()):
        from cvpo_jax.runtime import distributed

        distributed.join()


def command(arguments: Sequence[str]) -> None:
    """Train, then show the result."""
    invocation = cli.read_invocation(RunOptions, "run", arguments)
    _join_others(invocation.options)
    config = make_config(invocation)
    from cvpo_jax.training.own_env import begin_rehearsal

    begin_rehearsal(config.env)
    from cvpo_jax.plot import plot_run, table
    from cvpo_jax.runs.loggers import make_loggers
    from cvpo_jax.runtime import compilation_cache, distributed, memory
    from cvpo_jax.training.train import train

    callbacks = make_loggers(invocation.options.log)
    compilation_cache.enable_cache()
    with distributed.ending_together():
        distributed.require_same(config.to_json())
        run_dir = train(config, callbacks=callbacks, resume=invocation.options.resume)
    if distributed.is_first():
        print(table(run_dir))
        print(f"learning curve: {plot_run(run_dir)}")
        print(memory.describe())


if __name__ == "__main__":
    cli.leave(cli.main(command))
