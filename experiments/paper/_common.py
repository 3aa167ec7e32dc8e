"""What the CVPO paper's six tasks have in common (Liu et al., ICML 2022, on Safety Gym).

One layout for all episodes, episodes of 400 steps, and a limit of 10. Goal and Button have five small hazards, and
Button's gremlins move on smaller circles. The algorithm's settings are ours.
"""

from typing import Literal

from cvpo_jax import AlgoConfig, Config, EnvConfig

CONTROL_STEP = {"Point": 0.06, "Car": 0.1}
"""Seconds that an action acts, for each robot."""


def paper_config(robot: Literal["Point", "Car"], task: Literal["Goal", "Button", "Circle"]) -> Config:
    """The paper's setup of level 1 of `task`."""
    obstacles = task in ("Goal", "Button")
    env = EnvConfig(
        id=f"Safety{robot}{task}1-v0",
        layout="fixed",
        control_step=CONTROL_STEP[robot],
        episode_length=400,
        hazards=5 if obstacles else None,
        hazard_size=0.17 if obstacles else None,
        gremlin_travel=0.3 if task == "Button" else None,
    )
    return Config(env=env, algo=AlgoConfig(cost_limit=10.0))
