"""SafetyPointButton1: press the right button among four, past gremlins and hazards."""

from cvpo_jax import Config, EnvConfig


def get_config() -> Config:
    """The default options."""
    return Config(env=EnvConfig(id="SafetyPointButton1-v0"))
