"""Gymnasium's Pendulum-v1 with a speed limit: swing it up, and turn faster than 4 rad/s in at most 10 of 200 steps.

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
    """An update every 32 steps, more often than by default, since steps on the host are dearer."""
    return Config(
        env=EnvConfig(id="pendulum:make_pendulum", num_envs=32),
        algo=AlgoConfig(cost_limit=10.0, unconstrained_updates=2_000, recent_steps=40_000),
        train=TrainConfig(
            steps=400_000, updates_per_step=1 / 32, warmup_steps=6_400, replay_size=200_000, epoch_steps=16_000
        ),
        eval=EvalConfig(episodes=50, every=2),
    )
