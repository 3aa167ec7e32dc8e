"""Read an experiment file and the command line's overrides into a validated Config."""

import dataclasses
import importlib.util
from collections.abc import Sequence
from pathlib import Path

import tyro

from cvpo_jax.config import Config, ConfigError


def load_experiment(path: Path | str) -> Config:
    """The Config of an experiment file's `get_config()`; raises ConfigError where there is none."""
    path = Path(path)
    if not path.is_file():
        known = sorted(str(p) for p in Path("experiments").glob("**/[a-z]*.py"))
        raise ConfigError(f"there is no experiment {path}; those here are {', '.join(known) or 'none'}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, "get_config"):
        raise ConfigError(f"{path} has no function get_config(); see experiments/point_goal.py for an example")
    config = module.get_config()
    if not isinstance(config, Config):
        raise ConfigError(f"get_config() of {path} returned {type(config).__name__}, not cvpo_jax.Config")
    return config


def parse_overrides(default: Config, arguments: Sequence[str], prog: str, description: str) -> Config:
    """Override `default` by `--section.option value`; prints help or a usage error and exits where asked or wrong."""
    # Without this, a flag would be shown as --algo.no-normalize-observations too: one spelling is enough.
    return tyro.cli(Config, default=default, args=list(arguments), prog=prog, description=description)


def relocated(config: Config, run_dir: Path) -> Config:
    """`config` with its results in `run_dir`."""
    return dataclasses.replace(config, run_dir=str(run_dir))
