"""SafetyPointButton1 as if steps were dear."""

from cvpo_jax import Config
from experiments import point_button
from experiments.few_steps.point_goal import few_steps


def get_config() -> Config:
    """`experiments/point_button.py` within a million steps."""
    return few_steps(point_button.get_config())
