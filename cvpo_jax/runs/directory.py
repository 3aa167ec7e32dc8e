"""A run's directory: `config.json`, `sizes.json`, `metrics.jsonl`, `checkpoints/`, `tensorboard/`.

JAX is imported where it is needed: what only reads configurations and metrics starts without it.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cvpo_jax.config import Config, ConfigError
from cvpo_jax.runs.metrics import read_metrics
from cvpo_jax.runtime.files import write_whole

if TYPE_CHECKING:
    from cvpo_jax.algorithm.state import StaticConfig

CONFIG = "config.json"
SIZES = "sizes.json"
"""The sizes of a run's environment, from which its networks are rebuilt without it."""

LARGEST_SIZE = 10_000_000
"""Of an observation, an action or an episode: what is damaged must not be allocated."""


def choose(config: Config) -> Path:
    """The folder of a new run: the one it names, or a new one, made at once so that no other run can choose it too.

    One that is named may hold a run that never came to a checkpoint. Raises ConfigError where it holds any other, or
    cannot be made.
    """
    if not config.run_dir:
        return _make_own(config)
    run_dir = Path(config.run_dir).expanduser()
    if (run_dir / CONFIG).exists() and not _never_begun(run_dir):
        raise ConfigError(f"--run_dir {run_dir} holds a run already: choose another folder, or --resume {run_dir}")
    if any(part.exists() and not part.is_dir() for part in (run_dir, *run_dir.parents)):
        raise ConfigError(f"--run_dir {run_dir} cannot be made, a file is in its place: choose another folder")
    return run_dir


def _make_own(config: Config) -> Path:
    """Make a folder named after task, seed and time, with a number where that is not enough."""
    task = config.env.id.removesuffix("-v0").replace(":", "-")
    name = f"{task[:150]}-seed{config.train.seed}-{time.strftime('%Y%m%d-%H%M%S')}"
    for number in itertools.count(1):
        run_dir = Path("runs") / (name if number == 1 else f"{name}-{number}")
        try:
            run_dir.mkdir(parents=True)
        except FileExistsError:
            continue
        return run_dir
    raise AssertionError("count has no end")


def _never_begun(run_dir: Path) -> bool:
    """Whether the run there was killed before its first checkpoint: it may have been evaluated once by then."""
    checkpoints = (run_dir / "checkpoints").glob("*")
    return not any(path.name.isdigit() for path in checkpoints) and len(read_metrics(run_dir)) <= 1


def describe(run_dir: Path, config: Config, static: StaticConfig, num_devices: int) -> None:
    """Write the configuration the run uses, and the sizes a policy is rebuilt from without its environment."""
    train = dataclasses.replace(config.train, devices=num_devices)
    config = dataclasses.replace(config, train=train, run_dir=str(run_dir))
    write_whole(run_dir / CONFIG, config.to_json())
    write_whole(run_dir / SIZES, json.dumps(static.sizes, indent=2) + "\n")


def load_config(run_dir: Path) -> Config:
    """The configuration a run uses; raises ConfigError where the folder is not a run."""
    text = _read(run_dir, CONFIG)
    try:
        return Config.from_json(text)
    except ConfigError as error:
        raise ConfigError(f"{run_dir}: {error}") from error


def load_static_config(run_dir: Path) -> StaticConfig:
    """The static options and sizes of a run; raises ConfigError where the folder is not a run."""
    from cvpo_jax.algorithm.state import StaticConfig

    config, text = load_config(run_dir), _read(run_dir, SIZES)
    try:
        sizes = json.loads(text)
        if wrong := {
            name: size for name, size in sizes.items() if type(size) is not int or not 0 < size <= LARGEST_SIZE
        }:
            raise TypeError(f"{wrong} cannot be sizes")
        return StaticConfig.from_config(config.algo, config.controller, **sizes)
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{SIZES} of {run_dir} cannot be read ({error}): another version wrote it, or it is damaged; "
            f"--resume {run_dir} writes it again"
        ) from error


def resumable(run_dir: Path, config: Config) -> Config:
    """`config` for resuming the run in `run_dir`, on as many devices as before unless it names a number.

    Raises ConfigError where `config` would give the stored arrays other shapes.
    """
    from cvpo_jax.runtime import distributed

    stored = load_config(run_dir)
    # Several processes use all devices they have.
    as_before = stored.train.devices if distributed.size() == 1 else None
    train = dataclasses.replace(config.train, devices=config.train.devices or as_before)
    config = dataclasses.replace(config, train=train, run_dir=str(run_dir)).validate().complete(stored)
    for (option, now), (_, was) in zip(config.shaping(), stored.shaping(), strict=True):
        if was != now:
            raise ConfigError(
                f"--{option} is {now}, but {run_dir} was made with {was}: a resumed run keeps it; "
                "leave the option out, or start a new run"
            )
    return config


def _read(run_dir: Path, name: str) -> str:
    path = Path(run_dir) / name
    if not path.is_file():
        raise ConfigError(f"{run_dir} is not a run directory: it holds no {name}")
    try:
        return path.read_text()
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{name} of {run_dir} is damaged ({error}): take it from a copy, or start a new run"
        ) from error
