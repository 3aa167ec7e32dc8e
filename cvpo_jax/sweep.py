"""Train many trials: `python -m cvpo_jax.sweep EXPERIMENT --seeds N [--grid section.option=v1,v2 …] [--dry-run]`.

The same command again resumes what is not finished. docs/guide/many_machines.md says how to spread a sweep.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from tyro.conf import UseAppendAction, arg

from cvpo_jax import cli
from cvpo_jax.config import Config, ConfigError

if TYPE_CHECKING:
    from cvpo_jax.sweeps.runner import Plan
    from cvpo_jax.sweeps.trials import Trial


@dataclass(frozen=True)
class TrialOptions:
    """Train an experiment under several seeds and all combinations of a grid of options."""

    seeds: int = 1
    """Seeds of each combination, from --train.seed on."""
    grid: Annotated[tuple[tuple[str, ...], ...], UseAppendAction, arg(metavar="OPTION=VALUE,... [...]")] = ()
    """Options and their values, as algo.kl_estep=0.05,0.1; values that have commas themselves are separated by ;."""
    sweep_dir: Path | None = None
    """Where the run directories go; None: runs/sweep-EXPERIMENT. The same command again resumes what is there."""
    dry_run: bool = False
    """Show how far each trial is and what would be trained."""


@dataclass(frozen=True)
class SweepOptions(TrialOptions):
    """Train an experiment under several seeds and all combinations of a grid of options, many trials at once."""

    per_device: int | None = None
    """Trials at a time on a device; None: as many as fit."""
    part: str | None = None
    """I/N: train only the I-th of N parts of the trials, I from 0; None: all, on a TPU slice the host's own."""


Options = TypeVar("Options", bound=TrialOptions)


def experiment_of(invocation: cli.Invocation[Any]) -> tuple[Config, str]:
    """The configuration that trials begin from, and what it is called; uses no device. Raises ConfigError."""
    config = invocation.config()
    from cvpo_jax.training.own_env import with_backend

    config = with_backend(config)
    return config, invocation.experiment.stem if invocation.experiment else config.env.id.replace(":", "-")


def read_trials(invocation: cli.Invocation[Options]) -> tuple[Path, list[Trial]]:
    """The sweep's directory and all its trials; uses no device. Raises ConfigError."""
    options = invocation.options
    if options.seeds < 1:
        raise ConfigError(f"--seeds is {options.seeds}: at least 1 is needed")
    config, stem = experiment_of(invocation)
    from cvpo_jax.sweeps import trials

    sweep_dir = options.sweep_dir or Path("runs") / f"sweep-{stem}"
    every = trials.expand(config, options.seeds, trials.parse_grid(list(chain(*options.grid))), sweep_dir)
    for trial in every:
        trial.check()
    return sweep_dir, every


def make_plan(invocation: cli.Invocation[SweepOptions]) -> Plan:
    """All trials, and those that this process trains; raises ConfigError."""
    options = invocation.options
    if options.per_device is not None and options.per_device < 1:
        raise ConfigError(f"--per_device is {options.per_device}: at least 1 is needed")
    part = _read_part(options.part) if options.part else None
    sweep_dir, every = read_trials(invocation)
    import jax

    from cvpo_jax.runtime import devices
    from cvpo_jax.sweeps import trials
    from cvpo_jax.sweeps.runner import Plan

    chosen = devices.select(every[0].config.train.devices)
    # On a TPU pod's slice JAX numbers the hosts.
    own = trials.share(every, *(part or (jax.process_index(), jax.process_count())))
    return Plan(sweep_dir, every, own, chosen, options.per_device)


def _read_part(text: str) -> tuple[int, int]:
    """Read `I/N`; raises ConfigError."""
    part, _, parts = text.partition("/")
    if not (part.isdigit() and parts.isdigit() and int(part) < int(parts)):
        raise ConfigError(f"--part is {text}: give I/N with I from 0 to N - 1, as in 0/2")
    return int(part), int(parts)


def command(arguments: Sequence[str]) -> None:
    """Show the plan, or carry it out."""
    invocation = cli.read_invocation(SweepOptions, "sweep", arguments)
    plan = make_plan(invocation)
    from cvpo_jax.runtime import compilation_cache
    from cvpo_jax.sweeps import runner

    if invocation.options.dry_run:
        runner.show_plan(plan)
        return
    compilation_cache.enable_cache()
    runner.run_plan(plan)
    print(f"table: {plan.sweep_dir / runner.TABLE}")


if __name__ == "__main__":
    cli.leave(cli.main(command))
