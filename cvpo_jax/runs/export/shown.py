"""A policy to be shown, exported or of a run: what it was trained on, and a function that acts as it does."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import jax
import numpy as np

from cvpo_jax.config import Config, ConfigError
from cvpo_jax.config.algo import AlgoConfig
from cvpo_jax.config.sections import EnvConfig
from cvpo_jax.runs import at_limit, directory
from cvpo_jax.runs.checkpoint import Which
from cvpo_jax.runs.export import files
from cvpo_jax.runs.export.policy_arrays import PolicyArrays
from cvpo_jax.runs.policy import Policy, load_state, make_policy

STORED = Path(__file__).resolve().parents[3] / "results" / "policies"
"""Trained policies of the checkout."""


@dataclass(frozen=True)
class ShownPolicy:
    """A policy from a file and the model card beside it, or from a run."""

    name: str
    config: Config
    """That of its run; of an exported one environment and limits, all else is the default's."""
    step: int
    policy: Policy
    """From an observation `[..., O]` to an action `[..., A]` in [-1, 1]."""


def of_run(run_dir: Path, step: Which, limit: float | None = None) -> ShownPolicy:
    """The policy of a run's checkpoint, at `limit` if it knows several; raises ConfigError, CheckpointError."""
    config = directory.load_config(run_dir)
    at_limit.require_limit(run_dir, config, limit)
    state = load_state(run_dir, step=step, limit=limit)
    name = run_dir.resolve().name + ("" if limit is None else f", limit {limit:g}")
    return ShownPolicy(name, at_limit.config_at(config, limit), int(state.env_steps), make_policy(state))


def chosen(name: str) -> ShownPolicy:
    """The exported policy in a file, or of this name; raises ConfigError."""
    return read(find(name))


def find(name: str) -> Path:
    """The file of this name: a path, or a policy of `STORED`. Raises ConfigError where there is none."""
    path = Path(name).expanduser()
    if path.suffix == ".npz" and path.is_file():
        return path
    stored = {each.stem: each for each in sorted(STORED.glob("*.npz"))}
    if name in stored:
        return stored[name]
    known = ", ".join(stored) or "none here, since they come with the checkout"
    raise ConfigError(f"--policy is {name}: neither a file that export wrote with --format npz nor one of {known}")


def read(path: Path) -> ShownPolicy:
    """The policy in a file written by `export --format npz`; raises ConfigError where it or its card is not one."""
    card_path = path.with_suffix(".json")
    try:
        card = json.loads(card_path.read_text())
        config = _config(card)
        with np.load(path) as content:
            arrays = files.from_npz(content)
    except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise ConfigError(
            f"--policy {path} cannot be read with its model card {card_path.name} ({error}): export it again"
        ) from error
    return ShownPolicy(path.stem, config, int(card["step"]), _unscaled(arrays))


def _config(card: dict[str, Any]) -> Config:
    limits = card["limits"]
    algo = AlgoConfig(cost_limit=limits["cost"]) if "cost" in limits else AlgoConfig(constraints=limits)
    return Config(env=EnvConfig(**card["env"]), algo=algo)


def _unscaled(arrays: PolicyArrays) -> Policy:
    """The policy in [-1, 1], as environments take it, instead of in the units of the export."""
    ones = np.ones_like(arrays.action_low)
    return jax.jit(dataclasses.replace(arrays, action_low=-ones, action_high=ones).act)
