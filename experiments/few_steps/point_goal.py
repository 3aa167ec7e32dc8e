"""SafetyPointGoal1 as if steps were dear: a million of them, each learned from about ten times."""

from dataclasses import replace

from cvpo_jax import Config, TrainConfig
from experiments import point_goal


def few_steps(config: Config) -> Config:
    """`config` for a million steps of 25 environments; what else changes follows from these."""
    return replace(config, env=replace(config.env, num_envs=25), train=TrainConfig(steps=1_000_000))


def get_config() -> Config:
    """`experiments/point_goal.py` within a million steps."""
    return few_steps(point_goal.get_config())
