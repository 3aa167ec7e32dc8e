"""SafetyPointButton1: press the right button among four, past gremlins and hazards."""

from cvpo_jax import Config, EnvConfig


def get_config() -> Config:
    """The defaults, with twice the environments: as many updates on twice the steps earn more here (docs/limit.md)."""
    return Config(env=EnvConfig(id="SafetyPointButton1-v0")).with_envs(512)
