"""SafetyPointCircle1: run around the circle fast without leaving the corridor."""

from cvpo_jax import Config, EnvConfig


def get_config() -> Config:
    """The default options."""
    return Config(env=EnvConfig(id="SafetyPointCircle1-v0"))
