"""The example of docs/guide/custom_task.md runs as it is printed, and does what it says."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from paths import ROOT

import envs
from envs.navigation import render

PAGE = ROOT / "docs" / "guide" / "custom_task.md"


@pytest.fixture(scope="module")
def example() -> dict:
    (source,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    names: dict = {"__name__": "patrol"}
    exec(compile(source, PAGE.name, "exec"), names)
    return names


def test_the_example_is_a_whole_environment(example: dict) -> None:
    env, state = example["env"], example["state"]
    assert state.obs.shape == (env.observation_size,) and env.observation_size == 12 + 2 * 16
    assert state.info["cost"].shape == (1,) and env.episode_length == 500
    frame = render.frames(env, [state], size=64)
    assert frame.shape == (1, 64, 64, 3)


def test_posts_are_visited_in_turn(example: dict) -> None:
    env = example["env"]
    state = jax.jit(env.reset)(jax.random.PRNGKey(1))
    posts, step = state.pipeline_state.objects["posts"], jax.jit(env.step)
    for visit in range(4):
        world = state.pipeline_state
        np.testing.assert_array_equal(world.objects["goal"][0], posts[visit % 3])
        there = world.robot.replace(position=posts[visit % 3])
        state = step(state.replace(pipeline_state=world.replace(robot=there)), jnp.zeros(2))
        assert state.reward > 0.99
    assert state.pipeline_state.memory["next"] == 1


def test_robots_and_solid_kinds_are_checked(example: dict) -> None:
    with pytest.raises(ValueError, match="Point, Car"):
        envs.build(example["patrol"], "Doggo")
    crowded = example["patrol"].with_kind("posts", solid="movable").with_kind("hazards", solid="movable")
    with pytest.raises(ValueError, match="one of movable body"):
        envs.build(crowded, "Point")
