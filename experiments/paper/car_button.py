"""SafetyCarButton1, as the CVPO paper's authors set it up: one layout, 0.10 s a step, 400 steps an episode.

Liu et al., ICML 2022, on Safety Gym. Its hazards are five small ones, its gremlins move on smaller circles.
"""

from cvpo_jax import AlgoConfig, Config, EnvConfig


def get_config() -> Config:
    """The paper's task and limit; the algorithm's settings are ours."""
    return Config(
        env=EnvConfig(
            id="SafetyCarButton1-v0",
            layout="fixed",
            control_step=0.1,
            episode_length=400,
            hazards=5,
            hazard_size=0.17,
            gremlin_travel=0.3,
        ),
        algo=AlgoConfig(cost_limit=10.0),
    )
