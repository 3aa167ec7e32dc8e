"""Gymnasium's Pendulum-v1 with a speed limit: swing it up, and turn faster than 4 rad/s in at most 13 of 200 steps.

python -m cvpo_jax.run experiments/own/pendulum.py
"""

from typing import Any

import gymnasium
import numpy as np

import envs
from cvpo_jax import AlgoConfig, Config, EnvConfig, EvalConfig, TrainConfig

MAX_SPEED = 4.0  # rad/s


def too_fast(observation: np.ndarray, action: np.ndarray, next_observation: np.ndarray, info: dict[str, Any]) -> float:
    """1 where the pendulum turns faster than it should."""
    return float(abs(next_observation[2]) > MAX_SPEED)


def make_pendulum() -> gymnasium.Env:
    """The environment, as each worker process makes it."""
    return envs.with_cost(gymnasium.make("Pendulum-v1"), too_fast)


def get_config() -> Config:
    """A small task needs fewer updates than the rule has: one every 20 steps, 10,000 in all."""
    return Config(
        env=EnvConfig(id="pendulum:make_pendulum"),
        algo=AlgoConfig(cost_limit=13.0),
        train=TrainConfig(steps=200_000, updates_per_step=1 / 20),
        eval=EvalConfig(episodes=50, every=2),
    )
