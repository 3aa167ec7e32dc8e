"""Tell whether an environment can be trained on: `python -m cvpo_jax.check ID [--kwargs JSON] [--folder DIR] …`.

`python -m envs.check` is the same without the trainer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from tyro.conf import Positional, arg

from cvpo_jax import cli
from cvpo_jax.config import ConfigError, EnvConfig
from cvpo_jax.config.sections import Backend


@dataclass(frozen=True)
class CheckOptions:
    """Tell what fits and what does not before anyone trains on an environment, a line each."""

    id: Annotated[str, Positional, arg(metavar="ID")]
    """module:Name, or the id of a task."""
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the function Name."""
    folder: str | None = None
    """The folder the module lies in, if not this one."""
    backend: Backend | None = None
    """Of a task: the port, or the original."""
    episode_length: int | None = None
    """Steps of an episode; None: as the environment says."""
    action_bound: float | None = None
    """Bound on actions that have none."""
    observation_key: str | None = None
    """The entry of dictionary observations that is used."""


def command(arguments: Sequence[str]) -> None:
    """Print what was found; raises ConfigError where the environment does not fit."""
    options = cli.read_options(CheckOptions, "check", arguments)
    from cvpo_jax.training.own_env import begin_rehearsal

    begin_rehearsal(EnvConfig(id=options.id, kwargs=options.kwargs, folder=options.folder))
    from envs import check

    if not check.check(check.Request(**vars(options))):
        raise ConfigError(f"{options.id} cannot be trained on yet: do what the line above says, and check again")


if __name__ == "__main__":
    cli.leave(cli.main(command))
