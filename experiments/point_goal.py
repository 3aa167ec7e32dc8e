"""SafetyPointGoal1: reach goal after goal, past hazards and a vase, at a mean episodic cost of at most 25."""

from cvpo_jax import Config, EnvConfig


def get_config() -> Config:
    """The default options, which were tuned on this task."""
    return Config(env=EnvConfig(id="SafetyPointGoal1-v0"))
