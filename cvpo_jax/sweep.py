"""Many trials: `python -m cvpo_jax.sweep EXPERIMENT --seeds N [--grid section.option=v1,v2 …] [--dry-run]`.

Trials that share shapes are trained as one population (cvpo_jax.population). The same command again goes on with what
is not finished. docs/sweeps.md says how to spread a sweep over machines.
"""

import argparse
import csv
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import jax

from cvpo_jax import cli
from cvpo_jax.config import Config, ConfigError
from cvpo_jax.config.load import load_experiment, parse_overrides
from cvpo_jax.runtime import compilation_cache, devices, interrupt
from cvpo_jax.runtime.interrupt import StopRequest
from cvpo_jax.sweeps import trials
from cvpo_jax.sweeps.trials import PROBLEM, Group, Trial
from cvpo_jax.training import population, trainer
from cvpo_jax.training.train import train_trials
from cvpo_jax.training.trial_set import TrialSet

USAGE = "python -m cvpo_jax.sweep EXPERIMENT --seeds N [--grid SECTION.OPTION=V1,V2 ...]"
DESCRIPTION = (
    "Train an experiment under --seeds N seeds and all combinations of --grid SECTION.OPTION=V1,V2 ... (values with "
    "commas are separated by ;). --sweep_dir DIR: where to (runs/sweep-EXPERIMENT); the same command again goes on. "
    "--per_device P: trials at a time on a device (as many as fit). --part I/N: only the I-th of N parts, I from 0. "
    "--dry-run: print the plan and its memory."
)
USABLE_MEMORY = 0.6
"""Share of a device's memory that the arrays of its trials may take: temporaries and evaluation need the rest."""
GIB = 2**30


@dataclass(frozen=True)
class Plan:
    """All trials of a sweep, and those this process trains."""

    sweep_dir: Path
    trials: list[Trial]
    own: list[Trial]
    chosen: list[jax.Device]
    per_device: int
    """Trials at a time on a device; 0: as many as fit."""


def read_command(arguments: Sequence[str]) -> tuple[Plan, bool]:
    """The plan, and whether it is only to be shown; raises ConfigError."""
    known, sweep_dir, every = read_trials(arguments, USAGE, DESCRIPTION)
    chosen = devices.select(every[0].config.train.devices)
    # On a TPU pod's slice JAX numbers the hosts.
    own = trials.share(every, *(known.part or (jax.process_index(), jax.process_count())))
    return Plan(sweep_dir, every, own, chosen, known.per_device), known.dry_run


def read_trials(arguments: Sequence[str], usage: str, description: str) -> tuple[argparse.Namespace, Path, list[Trial]]:
    """The sweep's own options, its directory and all its trials; uses no device. Raises ConfigError."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    first.add_argument("--seeds", type=int, default=1)
    first.add_argument("--grid", nargs="+", action="extend", default=[])
    first.add_argument("--sweep_dir", "--sweep-dir", type=Path)
    first.add_argument("--per_device", "--per-device", type=int, default=0)
    first.add_argument("--part", type=_part)
    first.add_argument("--dry_run", "--dry-run", action="store_true")
    try:
        known, rest = first.parse_known_args(arguments)
    except argparse.ArgumentError as error:
        raise ConfigError(f"{error}; --help lists all options") from error
    if {"-h", "--help"} & set(rest):
        parse_overrides(Config(), ["--help"], usage, description)
    if not rest or rest[0].startswith("-"):
        raise ConfigError("name an experiment first, as in experiments/point_goal.py")
    for name, value in (("seeds", known.seeds - 1), ("per_device", known.per_device)):
        if value < 0:
            raise ConfigError(f"--{name} is {vars(known)[name]}: it is too small")
    path = Path(rest.pop(0))
    config = parse_overrides(load_experiment(path), rest, usage, description).validate()
    sweep_dir = known.sweep_dir or Path("runs") / f"sweep-{path.stem}"
    every = trials.expand(config, known.seeds, trials.parse_grid(known.grid), sweep_dir)
    for trial in every:
        trial.check()
    return known, sweep_dir, every


def _part(text: str) -> tuple[int, int]:
    """Read `I/N`."""
    part, _, parts = text.partition("/")
    if not 0 <= int(part) < int(parts):
        raise ValueError
    return int(part), int(parts)


def run(plan: Plan) -> None:
    """Train what is unfinished; a second call goes on where this one stopped."""
    with interrupt.interruptible() as stop:
        groups = group(plan)
        for number, members in enumerate(groups, 1):
            print(f"{number} of {len(groups)}: {describe(members, plan.chosen)}")
            train(members, plan.chosen, stop, partial(report, plan, members))
            if stop.requested:
                print("stopped as asked; the same command goes on")
                break
    write_table(plan.sweep_dir, plan.trials)


def train(members: Group, chosen: Sequence[jax.Device], stop: StopRequest, recorded: Callable[[], None]) -> None:
    """Train the trials of a group to their end, each in its directory; `recorded` is called after each evaluation.

    The reason why a trial failed is left in its directory.
    """
    problems = train_trials(
        build(members, chosen),
        [trial.run_dir for trial in members.trials],
        stop,
        resume=members.step > 0,
        step=members.step or None,
        recorded=recorded,
    )
    for trial, problem in zip(members.trials, problems, strict=True):
        if problem:
            (trial.run_dir / PROBLEM).write_text(f"{problem}\n")
            print(f"{trial.run_dir} failed: {problem}")


def group(plan: Plan) -> list[Group]:
    """The groups of trials to be trained one after another, each of as many as the devices hold."""
    groups = []
    for whole in trials.group(plan.own):
        slots = len(plan.chosen) * (plan.per_device or fitting(whole, plan.chosen)) if compiled(whole) else 1
        chunks = (whole.trials[start : start + slots] for start in range(0, len(whole.trials), slots))
        groups += [Group(chunk, whole.step) for chunk in chunks]
    return groups


def compiled(members: Group) -> bool:
    """Whether the environments are compiled; trials of others are trained one by one, on all devices."""
    return members.trials[0].config.env.backend == "brax"


def fitting(members: Group, chosen: Sequence[jax.Device]) -> int:
    """How many trials a device holds, at least one."""
    built = build(Group(members.trials[:1], members.step), chosen)
    return max(1, int(USABLE_MEMORY * memory(chosen[0]) / trial_bytes(built)))


def build(members: Group, chosen: Sequence[jax.Device]) -> TrialSet:
    """The program of a group, on no more devices than it has trials."""
    configs = [trial.config for trial in members.trials]
    return population.build(configs, list(chosen[: len(configs)])) if compiled(members) else trainer.build(configs[0])


def trial_bytes(built: TrialSet) -> int:
    """Bytes of the arrays that a trial keeps on its devices."""
    return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(built.template()))


def memory(device: jax.Device) -> float:
    """Bytes of a device; on a CPU its share of the machine's."""
    stats = device.memory_stats() or {}
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return stats.get("bytes_limit", whole / len(jax.local_devices()))


def describe(members: Group, chosen: Sequence[jax.Device]) -> str:
    """One line on a group: trials, devices, start and memory."""
    count, start = len(members.trials), f"from step {members.step:,}"
    if not compiled(members):
        return f"{members.trials[0].run_dir} in host environments {start}"
    built = build(members, chosen)
    each, devices_used = trial_bytes(built) / GIB, len(built.chosen)
    return (
        f"{count} trial(s) on {devices_used} {chosen[0].platform} device(s) {start}: {each:.3f} GiB a trial, "
        f"{-(-count // devices_used) * each:.3f} of {memory(chosen[0]) / GIB:.1f} GiB a device"
    )


def show(plan: Plan) -> None:
    """Print the plan: how far each trial is, and the groups to come with their memory."""
    for trial in plan.trials:
        elsewhere = "" if trial in plan.own else "  (another part)"
        print(f"{trial.status:<8} {trial.run_dir}{elsewhere}")
    groups = group(plan)
    for number, members in enumerate(groups, 1):
        print(f"{number} of {len(groups)}: {describe(members, plan.chosen)}")
    print("temporaries and evaluation take memory beside these arrays")


def report(plan: Plan, members: Group) -> None:
    """Write the table anew, and print where the trials of a group stand."""
    write_table(plan.sweep_dir, plan.trials)
    rows = [trial.rows[-1] for trial in members.trials if trial.rows]
    if not rows:
        return
    suffix = "" if len(members.trials[0].config.algo.cost_limits) == 1 else "_0"
    values = {name: sorted(row[f"{name}_mean"] for row in rows) for name in ("return", f"cost{suffix}")}
    spread = ", ".join(f"{name} {found[0]:.1f} to {found[-1]:.1f}" for name, found in values.items())
    print(
        f"step {max(row['step'] for row in rows):,}, minute {rows[0]['seconds'] / 60:.1f}, {len(rows)} trials: {spread}"
    )


def write_table(sweep_dir: Path, every: Sequence[Trial]) -> None:
    """Write `sweep.csv`: a line a trial with its settings, status and last evaluation."""
    lines = []
    for trial in every:
        last = trial.rows[-1] if trial.rows else {}
        numbers = {name: value for name, value in last.items() if "/" not in name}
        lines.append({"run_dir": trial.run_dir.name, **trial.settings, "status": trial.status, **numbers})
    names = list(dict.fromkeys(name for line in lines for name in line))
    # Replaced in one piece, since other parts of the sweep may write it too.
    draft = sweep_dir / f".sweep.csv.{os.getpid()}"
    with draft.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(lines)
    draft.replace(sweep_dir / "sweep.csv")


def command(arguments: Sequence[str]) -> None:
    """Show the plan, or carry it out."""
    plan, dry_run = read_command(arguments)
    if dry_run:
        show(plan)
        return
    compilation_cache.enable_cache()
    plan.sweep_dir.mkdir(parents=True, exist_ok=True)
    run(plan)
    print(f"table: {plan.sweep_dir / 'sweep.csv'}")


if __name__ == "__main__":
    cli.leave(cli.main(command))
