"""Begin a project of one's own: `python -m cvpo_jax.init [FOLDER]` copies the example experiments into it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from cvpo_jax import cli
from cvpo_jax.config import ConfigError

NAME = "experiments"
HERE = Path(__file__).parent


@dataclass(frozen=True)
class InitOptions:
    """Copy the example experiments to FOLDER/experiments, to be changed there."""

    folder: Annotated[Path, Positional, arg(metavar="FOLDER")] = Path()
    """The folder of the project, which is made if there is none; without it: this one."""


def examples() -> Path:
    """Where the experiments are: in the wheel inside this package, in the checkout beside it."""
    return next(folder for folder in (HERE / NAME, HERE.parent / NAME) if folder.is_dir())


def copy_experiments(project: Path) -> Path:
    """Copy them and return their new folder; raises ConfigError where something is in its place already."""
    target = project / NAME
    if target.exists() or target.is_symlink():
        raise ConfigError(f"{target} exists: nothing is overwritten; name another FOLDER, or move it away")
    shutil.copytree(examples(), target, ignore=shutil.ignore_patterns("__pycache__"))
    return target


def command(arguments: Sequence[str]) -> None:
    """Copy, and say what to do next."""
    project = cli.read_options(InitOptions, "init", arguments).folder
    target = copy_experiments(project)
    count = sum(1 for path in target.rglob("[a-z]*.py"))
    lead = "" if project == Path() else f"cd {project}\n    "
    print(
        f"{count} experiments are in {target}, yours to change. Next:\n"
        f"    {lead}cvpo run {NAME}/point_goal.py    # trains in some minutes, into runs/\n"
        f"    cvpo run {NAME}/own/tank.py      # an environment in one file, to begin your own from; needs gymnasium\n"
        "    cvpo tasks                          # what else can be trained"
    )


if __name__ == "__main__":
    cli.leave(cli.main(command))
