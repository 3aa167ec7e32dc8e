"""SafetyCarGoal1: drive a car from goal to goal around hazards."""

from cvpo_jax import Config, EnvConfig


def get_config() -> Config:
    """The default options."""
    return Config(env=EnvConfig(id="SafetyCarGoal1-v0"))
