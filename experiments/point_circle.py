"""SafetyPointCircle1: run round the circle fast without leaving the corridor."""

from cvpo_jax import Config, EnvConfig


def get_config() -> Config:
    """The defaults serve."""
    return Config(env=EnvConfig(id="SafetyPointCircle1-v0"))
