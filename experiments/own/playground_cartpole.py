"""A task of MuJoCo Playground under a torque limit: balance a pole, with strong pushes in at most 25 of 1,000 steps.

python -m pip install playground
python -m cvpo_jax.run experiments/own/playground_cartpole.py
"""

from typing import Any

import jax
import jax.numpy as jnp
from mujoco_playground import registry

import envs
from cvpo_jax import Config, EnvConfig, EvalConfig, TrainConfig

MAX_PUSH = 0.3  # of the largest


def strong_push(
    observation: jax.Array, action: jax.Array, next_observation: jax.Array, info: dict[str, Any]
) -> jax.Array:
    """1 where the cart is pushed harder than it should be."""
    return jnp.float32(jnp.max(jnp.abs(action)) > MAX_PUSH)


def make_cartpole() -> Any:
    """The environment, inside the compiled loop; its default implementation, warp, needs an NVIDIA GPU."""
    return envs.with_cost(registry.load("CartpoleBalance", config_overrides={"impl": "jax"}), strong_push)


def get_config() -> Config:
    """An update every 128 steps of 128 carts."""
    return Config(
        env=EnvConfig(id="playground_cartpole:make_cartpole", num_envs=128),
        train=TrainConfig(steps=1_500_000, updates_per_step=1 / 128),
        eval=EvalConfig(episodes=20, every=1),
    )
