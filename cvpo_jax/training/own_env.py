"""An environment of the user's own: the options that name it, so that workers and later commands can make it again."""

import contextlib
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import envs
from cvpo_jax.config import Config, ConfigError, EnvConfig
from envs.adapters import rehearsal
from envs.adapters.source import Source


def with_env(config: Config, make: Callable[..., Any]) -> Config:
    """`config` for the environment that the function or class `make` makes, called with `--env.kwargs`.

    Raises ConfigError unless `make` stands at the top of a module, from which another process can import it.
    """
    module = sys.modules.get(getattr(make, "__module__", None) or "")
    name = getattr(make, "__qualname__", "")
    if module is None or getattr(module, name, None) is not make:
        raise ConfigError(
            f"env is {make!r}: give a function or class at the top of a module, which makes the environment, "
            "so that worker processes and later commands can import it"
        )
    path = Path(getattr(module, "__file__", None) or ".").resolve()
    # What a script defines is found by other processes under the script's own name.
    module_name = path.stem if module.__name__ == "__main__" else module.__name__
    folder = path.parents[module_name.count(".")]
    return replace(config, env=replace(config.env, id=f"{module_name}:{name}", folder=str(folder)))


def begin_rehearsal(env: EnvConfig) -> None:
    """Begin to try an environment of the user's own in a process of its own, before imports that take seconds."""
    if env.is_own:
        with contextlib.suppress(ValueError):  # no id at all: which `with_backend` says
            rehearsal.begin(Source.parse(env.id, env.kwargs, env.folder))


def with_backend(config: Config) -> Config:
    """`config` with the backend that the user's own environment needs; raises ConfigError where there is none."""
    if not config.env.is_own:
        return config
    begin_rehearsal(config.env)
    try:
        compiled = envs.is_compiled(config.env.id, kwargs=config.env.kwargs, folder=config.env.folder)
    except (ValueError, ImportError) as error:
        raise ConfigError(f"--env.id {config.env.id}: {error}") from error
    return replace(config, env=replace(config.env, backend="brax" if compiled else "gymnasium"))
