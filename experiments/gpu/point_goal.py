"""SafetyPointGoal1 on a GPU: 4,096 environments, about a million steps a second."""

from cvpo_jax import Config, EvalConfig
from experiments import point_goal


def get_config() -> Config:
    """The training of `experiments/point_goal.py`, update for update, on eight times as many environments."""
    return Config(env=point_goal.get_config().env, eval=EvalConfig(every=8)).with_envs(4096)
