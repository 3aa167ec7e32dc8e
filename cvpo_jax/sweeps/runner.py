"""Carrying out a sweep: groups of trials as large as the devices hold, trained one after another, and the table.

Trials that share shapes are trained as one population (`training.population`). What is finished is left alone, so that
the same sweep run again resumes where it stopped.
"""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import jax

from cvpo_jax.config.names import metric_name
from cvpo_jax.runtime import interrupt, memory
from cvpo_jax.runtime.files import write_whole
from cvpo_jax.runtime.interrupt import StopRequest
from cvpo_jax.sweeps import trials
from cvpo_jax.sweeps.trials import PROBLEM, Group, Trial
from cvpo_jax.training import population, trainer
from cvpo_jax.training.train import held, train_trials
from cvpo_jax.training.trial_set import TrialSet

USABLE_MEMORY = 0.6
"""Share of a device's memory that the arrays of its trials may take: temporaries and evaluation need the rest."""
TABLE = "sweep.csv"
GIB = 2**30


@dataclass(frozen=True)
class Plan:
    """All trials of a sweep, and those this process trains."""

    sweep_dir: Path
    trials: list[Trial]
    own: list[Trial]
    chosen: list[jax.Device]
    per_device: int | None = None
    """Trials at a time on a device; None: as many as fit."""


def run_plan(plan: Plan) -> None:
    """Train what is unfinished, and write the table. A second call resumes where this one stopped."""
    plan.sweep_dir.mkdir(parents=True, exist_ok=True)
    with interrupt.interruptible() as stop:
        groups = group(plan)
        for number, members in enumerate(groups, 1):
            print(f"{number} of {len(groups)}: {describe(members, plan.chosen)}")
            train(members, plan.chosen, stop, partial(report, plan, members))
            if stop.requested:
                print("stopped as requested; the same command resumes the sweep")
                break
    write_table(plan.sweep_dir, plan.trials)


def show_plan(plan: Plan) -> None:
    """Print the plan: how far each trial is, and the groups to come with their memory."""
    for trial in plan.trials:
        elsewhere = "" if trial in plan.own else "  (another part)"
        print(f"{trial.status:<8} {trial.run_dir}{elsewhere}")
    groups = group(plan)
    for number, members in enumerate(groups, 1):
        print(f"{number} of {len(groups)}: {describe(members, plan.chosen)}")
    print("temporaries and evaluation take memory on top of these arrays")


def train(members: Group, chosen: Sequence[jax.Device], stop: StopRequest, recorded: Callable[[], None]) -> None:
    """Train the trials of a group to their end, each in its directory; `recorded` is called after each evaluation.

    The reason why a trial failed is left in its directory.
    """
    run_dirs = [trial.run_dir for trial in members.trials]
    with held(run_dirs):
        problems = train_trials(
            build(members, chosen),
            run_dirs,
            stop,
            resume=members.step > 0,
            step=members.step or None,
            recorded=recorded,
        )
    for trial, problem in zip(members.trials, problems, strict=True):
        if problem:
            write_whole(trial.run_dir / PROBLEM, f"{problem}\n")
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
    """How many trials a device holds: at least one, and only one where it does not tell its memory."""
    room = memory.device_bytes(chosen)
    if room is None:
        return 1
    one = build(Group(members.trials[:1], members.step), chosen)
    return max(1, int(USABLE_MEMORY * room / memory.tree_bytes(one.template())))


def build(members: Group, chosen: Sequence[jax.Device]) -> TrialSet:
    """The trainer of a group, on no more devices than it has trials."""
    configs = [trial.config for trial in members.trials]
    return population.build(configs, list(chosen[: len(configs)])) if compiled(members) else trainer.build(configs[0])


def describe(members: Group, chosen: Sequence[jax.Device]) -> str:
    """One line on a group: trials, devices, start and memory."""
    count, start = len(members.trials), f"from step {members.step:,}"
    if not compiled(members):
        return f"{members.trials[0].run_dir} in host environments {start}"
    built, room = build(members, chosen), memory.device_bytes(chosen)
    each, devices_used = memory.tree_bytes(built.template()) / GIB, len(built.chosen)
    of_room = f" of {room / GIB:.1f}" if room else ""
    return (
        f"{count} trial(s) on {devices_used} {chosen[0].platform} device(s) {start}: {each:.3f} GiB a trial, "
        f"{-(-count // devices_used) * each:.3f}{of_room} GiB a device"
    )


def report(plan: Plan, members: Group) -> None:
    """Rewrite the table, and print where the trials of a group stand."""
    write_table(plan.sweep_dir, plan.trials)
    rows = [trial.rows[-1] for trial in members.trials if trial.rows]
    if not rows:
        return
    cost = metric_name("cost", 0, len(members.trials[0].config.algo.cost_limits))
    values = {name: sorted(row[f"{name}_mean"] for row in rows) for name in ("return", cost)}
    spread = ", ".join(f"{name} {found[0]:.1f} to {found[-1]:.1f}" for name, found in values.items())
    print(
        f"step {max(row['step'] for row in rows):,}, minute {rows[0]['seconds'] / 60:.1f}, {len(rows)} trials: {spread}"
    )


def write_table(sweep_dir: Path, every: Sequence[Trial]) -> None:
    """Write `sweep.csv`: a line for each trial with its settings, status and last evaluation."""
    lines = []
    for trial in every:
        last = trial.rows[-1] if trial.rows else {}
        numbers = {name: value for name, value in last.items() if "/" not in name}
        lines.append({"run_dir": trial.run_dir.name, **trial.settings, "status": trial.status, **numbers})
    names = list(dict.fromkeys(name for line in lines for name in line))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(lines)
    # Other parts of the sweep may write it too.
    write_whole(sweep_dir / TABLE, text.getvalue())
