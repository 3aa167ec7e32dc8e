"""List the tasks that can be trained: `python -m cvpo_jax.tasks [--like Button]`."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass

from cvpo_jax import cli
from cvpo_jax.config import ConfigError

_OWN = "your own    --env.id module:Name, an environment of Gymnasium, Brax or MuJoCo Playground"
_ORIGINAL = "the original Safety-Gymnasium    --env.backend gymnasium, with these ids and its others"


@dataclass(frozen=True)
class TasksOptions:
    """List the tasks that can be trained, a line each: id, steps of an episode, what pays and what costs."""

    like: str = ""
    """Only ids with this in them, in capitals or not."""


def describe() -> dict[str, str]:
    """Id -> steps of an episode, what pays and what costs."""
    from envs import gymnasium_ids, velocity
    from envs.navigation.tasks import NAMES, task

    said = {
        f"{body}Velocity": f"run forward; costs: above {limit.speed:g} m/s" for body, limit in velocity.LIMITS.items()
    }
    for name in NAMES:
        doc = inspect.getdoc(inspect.getmodule(type(task(name)))) or ""
        costs = ", ".join(task(name).cost_names) or "none"
        said[name] = f"{doc.partition(': ')[2].partition(';')[0]}; costs: {costs}"
    lines = {}
    for task_id, steps in gymnasium_ids.lengths().items():
        name = task_id.removeprefix("Safety").rpartition("-")[0].removeprefix("Point").removeprefix("Car")
        lines[task_id] = f"{steps:>4} steps  {said[name]}"
    return lines


def command(arguments: Sequence[str]) -> None:
    """Print the list."""
    options = cli.read_options(TasksOptions, "tasks", arguments)
    found = {name: text for name, text in describe().items() if options.like.lower() in name.lower()}
    if not found:
        raise ConfigError(f"--like is {options.like}: no id has that in it; without it all are listed")
    for name, text in found.items():
        print(f"{name:<30} {text}")
    if not options.like:
        print(f"\n{_ORIGINAL}\n{_OWN}")


if __name__ == "__main__":
    cli.leave(cli.main(command))
