"""SafetyPointGoal1 for the impatient: a policy within its limit in a few minutes of one core, by SAC-Lagrangian."""

from dataclasses import replace

from cvpo_jax import AlgoConfig, Config, ControllerConfig, EvalConfig, TrainConfig
from experiments import point_goal


def get_config() -> Config:
    """`experiments/point_goal.py` in three million steps, an update for every 128 of them, and looked at more often.

    It aims further below the limit: policies scatter about the target, and there is no time to wait for a good one.
    """
    return replace(
        point_goal.get_config(),
        algo=AlgoConfig(name="sac_lag"),
        controller=ControllerConfig(target_share=0.7),
        train=TrainConfig(steps=3_000_000, updates_per_step=1 / 128),
        eval=EvalConfig(every=3),
    )
