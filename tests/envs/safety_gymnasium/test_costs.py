"""The components of the genuine environments' costs."""

import numpy as np

from envs.safety_gymnasium.env import SafetyGymnasiumEnv


def test_a_cost_that_the_package_leaves_out_is_none() -> None:
    """While the timer runs its costs do not name the buttons."""
    env = SafetyGymnasiumEnv("SafetyPointButton1-v0")
    env.reset(0)
    task = env._env.unwrapped.task
    task.model.body("hazard0").pos[:2] = task.agent.pos[:2]
    task.buttons.timer = 5
    step = env.step(np.zeros(2))
    assert step.cost == 1
    assert dict(zip(env.spec.component_names, step.components, strict=True)) == {
        "cost_buttons": 0,
        "cost_hazards": 1,
        "cost_gremlins": 0,
    }


def test_a_velocity_task_has_one_cost_its_total() -> None:
    env = SafetyGymnasiumEnv("SafetyHopperVelocity-v1")
    assert env.spec.component_names == ("cost_velocity",)
    env.reset(0)
    world = env._env.unwrapped
    world._velocity_threshold = -10.0
    step = env.step(np.zeros(env.spec.action_size))
    assert (step.cost, *step.components) == (1, 1)
