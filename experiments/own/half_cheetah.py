"""Gymnasium's HalfCheetah-v5 under a speed limit: run, faster than 2 m/s in at most 25 of 1,000 steps.

python -m cvpo_jax.run experiments/own/half_cheetah.py
"""

from typing import Any

import gymnasium
import numpy as np

import envs
from cvpo_jax import Config, EnvConfig, EvalConfig, TrainConfig

MAX_SPEED = 2.0  # m/s


def speeding(observation: np.ndarray, action: np.ndarray, next_observation: np.ndarray, info: dict[str, Any]) -> float:
    """1 where the cheetah is faster than it should."""
    return float(info["x_velocity"] > MAX_SPEED)


def make_cheetah() -> gymnasium.Env:
    """The environment, as each worker process makes it."""
    return envs.with_cost(gymnasium.make("HalfCheetah-v5"), speeding)


def get_config() -> Config:
    """Half a million steps, an update every 20 of them."""
    return Config(
        env=EnvConfig(id="half_cheetah:make_cheetah"),
        train=TrainConfig(steps=500_000, updates_per_step=1 / 20),
        eval=EvalConfig(episodes=20),
    )
