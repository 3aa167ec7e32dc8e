"""Constrained variational policy optimization in JAX: the best policy that keeps to a limit on cost.

Names are imported when they are first used, so that a command's `--help` need not wait for JAX.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cvpo_jax.algorithm.estep import DualSolution, solve_dual
    from cvpo_jax.algorithm.state import Batch, Hyperparameters, StaticConfig, TrainState, init_train_state
    from cvpo_jax.algorithm.update import update_step
    from cvpo_jax.config import (
        AlgoConfig,
        Config,
        ConfigError,
        ControllerConfig,
        EnvConfig,
        EvalConfig,
        TrainConfig,
    )
    from cvpo_jax.runs.callbacks import Callback
    from cvpo_jax.runs.policy import load_policy
    from cvpo_jax.training.train import train

__version__ = "0.1.0"

__all__ = [
    "AlgoConfig",
    "Batch",
    "Callback",
    "Config",
    "ConfigError",
    "ControllerConfig",
    "DualSolution",
    "EnvConfig",
    "EvalConfig",
    "Hyperparameters",
    "StaticConfig",
    "TrainConfig",
    "TrainState",
    "init_train_state",
    "load_policy",
    "solve_dual",
    "train",
    "update_step",
]

_MODULES = {
    "cvpo_jax.algorithm.estep": ("DualSolution", "solve_dual"),
    "cvpo_jax.algorithm.state": ("Batch", "Hyperparameters", "StaticConfig", "TrainState", "init_train_state"),
    "cvpo_jax.algorithm.update": ("update_step",),
    "cvpo_jax.config": (
        "AlgoConfig",
        "Config",
        "ConfigError",
        "ControllerConfig",
        "EnvConfig",
        "EvalConfig",
        "TrainConfig",
    ),
    "cvpo_jax.runs.callbacks": ("Callback",),
    "cvpo_jax.runs.policy": ("load_policy",),
    "cvpo_jax.training.train": ("train",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name from where it is defined."""
    if name == "envs":  # which is a module of its own in the checkout, and in the wheel one of this package
        return importlib.import_module("envs")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
