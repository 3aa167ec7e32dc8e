"""SafetyPointGoal1 where training, too, must cost little: it aims at the limit from the first update."""

from dataclasses import replace

from cvpo_jax import Config
from experiments import point_goal


def get_config() -> Config:
    """`experiments/point_goal.py` without the unconstrained updates at its start."""
    config = point_goal.get_config()
    return replace(config, algo=replace(config.algo, unconstrained_updates=0))
