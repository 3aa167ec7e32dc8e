"""Pictures: the robot and its costs are where they should be, files can be read again."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import envs
from envs.navigation import render


@pytest.fixture(scope="module")
def episode() -> tuple:
    env = envs.make("SafetyPointGoal1-v0")
    state = jax.jit(env.reset)(jax.random.PRNGKey(0))
    world = state.pipeline_state
    inside = state.replace(
        pipeline_state=world.replace(
            robot=world.robot.replace(position=world.objects["hazards"][0]), steps=jnp.int32(1)
        ),
        info=state.info | {"cost_components": {"cost_hazards": jnp.float32(1.0)}},
    )
    return env, [state, inside]


def reddish(frame: np.ndarray) -> np.ndarray:
    red, green, blue = np.moveaxis(frame.astype(int), -1, 0)
    return (red > 150) & (green < 110) & (blue < 110)


def test_the_robot_is_drawn_at_its_place(episode: tuple) -> None:
    env, states = episode
    frame = render.frames(env, states, size=200)[0]
    rows, columns = np.nonzero(reddish(frame)[20:])
    half = env.task.extents + 0.6
    where = np.array([columns.mean() / 100 - 1, 1 - (rows.mean() + 20) / 100]) * half
    np.testing.assert_allclose(where, states[0].pipeline_state.robot.position, atol=0.06)


def test_a_cost_frames_the_picture_in_red(episode: tuple) -> None:
    env, states = episode
    shots = render.frames(env, states, size=200)
    assert shots.shape == (2, 200, 200, 3)
    assert not reddish(shots[0])[0].any() and reddish(shots[1])[0].all()


def test_files_hold_what_was_drawn(episode: tuple, tmp_path: Path) -> None:
    env, states = episode
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
    render.save(tmp_path / "way.png", env, stacked, size=120)
    np.testing.assert_array_equal(Image.open(tmp_path / "way.png"), render.picture(env, states, size=120))
    render.save(tmp_path / "course.gif", env, states, size=120, every=1)
    with Image.open(tmp_path / "course.gif") as film:
        assert film.n_frames == 2 and film.size == (120, 120)
    with pytest.raises(ValueError, match="png"):
        render.save(tmp_path / "course.mp3", env, states)


@pytest.mark.parametrize("name", ["Button1", "Circle2", "Run0"])
def test_every_task_can_be_drawn(name: str) -> None:
    env = envs.make(f"SafetyPoint{name}-v0")
    state = jax.jit(env.reset)(jax.random.PRNGKey(0))
    frame = render.frames(env, [state], size=100)[0]
    assert reddish(frame)[10:].any()
