"""SafetyPointGoal1 for the impatient: a policy within its limit in a few minutes of one core, by SAC-Lagrangian."""

from dataclasses import replace

from cvpo_jax import AlgoConfig, Config, EvalConfig, TrainConfig
from experiments import point_goal


def get_config() -> Config:
    """`experiments/point_goal.py` in four million steps, each learned from about once, and looked at twice as often."""
    return replace(
        point_goal.get_config(),
        algo=AlgoConfig(name="sac_lag"),
        train=TrainConfig(steps=4_000_000, updates_per_step=1 / 256),
        eval=EvalConfig(every=2),
    )
