"""SafetyPointGoal1: reach goal after goal past hazards and a vase, at most 25 of cost an episode."""

from cvpo_jax import Config, EnvConfig


def get_config() -> Config:
    """The defaults are tuned on this task."""
    return Config(env=EnvConfig(id="SafetyPointGoal1-v0"))
