"""SafetyPointGoal1 as if steps were dear: a million of them, each learned from about ten times."""

from dataclasses import replace

from cvpo_jax import Config, TrainConfig
from experiments import point_goal

ENVS = 25
KL_ESTEP, KL_MEAN = 0.2, 0.05  # where steps are few the policy may move faster with each update


def few_steps(config: Config) -> Config:
    """`config` for a million steps."""
    algo = replace(config.algo, kl_estep=KL_ESTEP, kl_mean=KL_MEAN)
    return replace(config, env=replace(config.env, num_envs=ENVS), algo=algo, train=TrainConfig(steps=1_000_000))


def get_config() -> Config:
    """`experiments/point_goal.py` within a million steps."""
    return few_steps(point_goal.get_config())
