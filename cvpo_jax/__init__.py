"""Constrained variational policy optimization in JAX: the best policy that keeps to a limit on cost."""

import envs._mjx  # noqa: F401  (first: it keeps an import of Brax quiet)
from cvpo_jax.algorithm.estep import DualSolution, solve_dual
from cvpo_jax.algorithm.state import Batch, TrainState
from cvpo_jax.algorithm.update import update_step
from cvpo_jax.config import AlgoConfig, Config, ConfigError, EnvConfig, EvalConfig, TrainConfig
from cvpo_jax.runs.policy import load_policy
from cvpo_jax.training.train import train

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
