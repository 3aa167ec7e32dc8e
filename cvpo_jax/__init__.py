"""Constrained variational policy optimisation in JAX: the best policy that keeps to a limit on cost."""

import envs._mjx  # noqa: F401  (first: it keeps an import of Brax quiet)
from cvpo_jax.config import Config
from cvpo_jax.estep import DualSolution, solve_dual
from cvpo_jax.options import AlgoConfig, ConfigError, EnvConfig, EvalConfig, TrainConfig
from cvpo_jax.policy import load_policy
from cvpo_jax.train import train
from cvpo_jax.types import Batch, TrainState
from cvpo_jax.update import update_step

__all__ = [
    "AlgoConfig",
    "Batch",
    "Config",
    "ConfigError",
    "DualSolution",
    "EnvConfig",
    "EvalConfig",
    "TrainConfig",
    "TrainState",
    "load_policy",
    "solve_dual",
    "train",
    "update_step",
]
