"""SafetyPointGoal1, as the CVPO paper's authors set it up."""

from cvpo_jax import Config
from experiments.paper._common import paper_config


def get_config() -> Config:
    """One layout, 0.06 s a control step, 400 steps an episode, a limit of 10."""
    return paper_config("Point", "Goal")
