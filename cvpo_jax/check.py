"""Tell whether an environment can be trained on: `python -m cvpo_jax.check ID [--kwargs JSON] [--folder DIR] …`.

`python -m envs.check` is the same without the trainer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from tyro.conf import Positional, arg

from cvpo_jax import cli
from cvpo_jax.config import ConfigError, EnvConfig
from envs.check_request import Request


@dataclass(frozen=True)
class CheckOptions(Request):
    """Tell what fits and what does not before anyone trains on an environment, a line each."""

    id: Annotated[str, Positional, arg(metavar="ID")]


def command(arguments: Sequence[str]) -> None:
    """Print what was found; raises ConfigError where the environment does not fit."""
    options = cli.read_options(CheckOptions, "check", arguments)
    from cvpo_jax.training.own_env import begin_rehearsal

    begin_rehearsal(EnvConfig(id=options.id, kwargs=options.kwargs, folder=options.folder))
    from envs import check

    if not check.check(options):
        raise ConfigError(f"{options.id} cannot be trained on yet: do what the line above says, and check again")


if __name__ == "__main__":
    cli.leave(cli.main(command))
