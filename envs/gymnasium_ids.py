"""The ports' ids in Gymnasium's registry: `gymnasium.make("cvpo_jax/SafetyPointGoal1-v0")`, and `make_vec` likewise.

It does without JAX: the environments are imported when the first one is made.
"""

import importlib.util

NAMESPACE = "cvpo_jax"
_LEVELS = {
    "Goal": (3, 1000),
    "Button": (3, 1000),
    "Circle": (3, 500),
    "Push": (3, 1000),
    "Run": (1, 500),
}
"""Levels of each navigation task, and steps of an episode."""
_BODIES = ("Ant", "HalfCheetah", "Hopper", "Humanoid", "Swimmer", "Walker2d")


def lengths() -> dict[str, int]:
    """The ports' ids, as of `envs.task_ids`, and the steps of an episode of each."""
    navigation = {
        f"Safety{robot}{task}{level}-v0": steps
        for robot in ("Point", "Car")
        for task, (levels, steps) in _LEVELS.items()
        for level in range(levels)
    }
    return navigation | {f"Safety{body}Velocity-v1": 1000 for body in _BODIES}


def register() -> None:
    """Make the ids known to Gymnasium, if it is installed."""
    if importlib.util.find_spec("gymnasium") is None:
        return
    import gymnasium

    for task_id, steps in lengths().items():
        if f"{NAMESPACE}/{task_id}" not in gymnasium.registry:
            gymnasium.register(
                id=f"{NAMESPACE}/{task_id}",
                entry_point="envs.gymnasium_api:PortEnv",
                vector_entry_point="envs.gymnasium_api:PortVectorEnv",
                max_episode_steps=steps,
                kwargs={"task_id": task_id},
            )
