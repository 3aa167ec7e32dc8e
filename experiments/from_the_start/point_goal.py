"""SafetyPointGoal1 where training, too, must cost little: the limit is aimed at from the first update."""

from dataclasses import replace

from cvpo_jax import Config
from experiments import point_goal


def get_config() -> Config:
    """No free updates (docs/limit.md)."""
    config = point_goal.get_config()
    return replace(config, algo=replace(config.algo, free_updates=0))
