"""Read an experiment file and the command line's overrides into a Config."""

import contextlib
import inspect
import runpy
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from cvpo_jax.config.command_line import OneSpelling, parse
from cvpo_jax.config.config import Config
from cvpo_jax.config.errors import ConfigError


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[None]:
    """Let the experiment file import what lies beside it or in the working folder, unless that name is installed.

    The working folder makes one experiment known to another, as `experiments.point_goal`; the console script does
    without it on Python's path.
    """
    wanted = dict.fromkeys((str(path.parent.resolve()), str(Path.cwd())))
    folders = [folder for folder in wanted if folder not in sys.path]
    sys.path += folders
    try:
        yield
    finally:
        for folder in folders:
            sys.path.remove(folder)


@contextlib.contextmanager
def _blaming(path: Path) -> Iterator[None]:
    """Turn what an experiment file raises into a ConfigError with file and line, of which it is the cause."""
    try:
        yield
    except ConfigError:
        raise
    except (Exception, SystemExit) as error:
        # A file in another encoding is a syntax error without a line.
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if Path(frame.filename) == path]
        line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
        where = f"{path}, line {line}" if line else f"{path}"
        said = " ".join((error.msg if isinstance(error, SyntaxError) else str(error)).split())
        raise ConfigError(f"{where}: {type(error).__name__}: {said[:300]}; --debug shows more") from error


def load_experiment(path: Path | str) -> Config:
    """The Config of an experiment file's `get_config()`; raises ConfigError where there is none."""
    path = Path(path)
    if not path.is_file():
        known = sorted(str(p) for p in Path("experiments").glob("**/[a-z]*.py"))
        raise ConfigError(f"there is no experiment {path}; those here are {', '.join(known) or 'none'}")
    with _beside(path), _blaming(path):
        get_config = runpy.run_path(str(path)).get("get_config")
        if not callable(get_config):
            raise ConfigError(f"{path} has no function get_config(); see experiments/point_goal.py for an example")
        inspect.signature(get_config).bind()
        config = get_config()
    if not isinstance(config, Config):
        raise ConfigError(f"get_config() of {path} returned {type(config).__name__}, not cvpo_jax.Config")
    if config.env.is_own and config.env.folder is None:
        # Stored with a run, so that it is found again from elsewhere.
        config = replace(config, env=replace(config.env, folder=str(path.parent.resolve())))
    return config


def parse_overrides(default: Config, arguments: Sequence[str], prog: str, description: str) -> Config:
    """Override `default` by `--section.option value`; `--help` prints the options and exits.

    Raises ConfigError for an unknown option or a value that cannot be read.
    """
    return parse(OneSpelling[Config], arguments, default=default, prog=prog, description=description)
