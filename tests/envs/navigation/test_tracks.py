"""Episodes as numbers: where everything was, in the units that are promised, and as few of them as that takes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from envs.navigation.lidar import BINS
from envs.navigation.tracks import DIGITS, intervals, tracks

STATES = 5


def episode(name: str) -> tuple:
    """The start of an episode five times over, in which the robot goes right by 10 cm a step."""
    env = envs.make(f"SafetyPoint{name}-v0")
    state = jax.jit(env.reset)(jax.random.PRNGKey(0))
    states = jax.tree.map(lambda leaf: jnp.repeat(jnp.asarray(leaf)[None], STATES, 0), state)
    world = states.pipeline_state
    way = world.robot.position + 0.1 * jnp.arange(STATES)[:, None] * jnp.array([1.0, 0.0])
    robot = world.robot.replace(position=way, yaw=jnp.full(STATES, 7.0))
    return env, states.replace(pipeline_state=world.replace(robot=robot))


def test_places_are_millimeters_and_objects_are_told_where_they_change() -> None:
    env, states = episode("Goal1")
    world = states.pipeline_state
    goals = world.objects["goal"].at[3:].set(jnp.array([[0.5, -0.25]]))
    told = tracks(env, states.replace(pipeline_state=world.replace(objects=world.objects | {"goal": goals})))
    assert np.diff(told["robot"]["x"]).tolist() == pytest.approx([100] * 4, abs=1)
    assert len(set(told["robot"]["y"])) == 1
    assert told["robot"]["yaw"] == [round(1000 * (7 - 2 * np.pi))] * STATES
    kinds = {kind["name"]: kind for kind in told["kinds"]}
    first = np.rint(1000 * np.asarray(goals[0, 0])).astype(int).tolist()
    assert kinds["goal"]["places"] == [[0, [*first, 0]], [3, [500, -250, 0]]]
    assert len(kinds["hazards"]["places"]) == 1 and len(kinds["hazards"]["places"][0][1]) == 3 * 8
    assert kinds["vases"]["outline"] == "box" and kinds["vases"]["places"][0][1][2] != 0, "vases are turned"


def test_readings_are_a_character_each() -> None:
    env, states = episode("Goal1")
    start = env.robot.sensor_size
    told = tracks(env, states.replace(obs=states.obs.at[1, start : start + 3].set(jnp.array([0.0, 0.001, 1.0]))))
    assert [lidar["name"] for lidar in told["lidars"]] == list(env.task.lidars)
    readings = told["lidars"][0]["readings"]
    assert len(readings) == STATES * BINS
    assert readings[BINS : BINS + 3] == "01" + DIGITS[-1], "only nothing is told as nothing"


def test_buttons_are_blank_while_the_timer_runs() -> None:
    env, states = episode("Button1")
    world = states.pipeline_state
    timer = jnp.array([0, 2, 1, 0, 0])
    told = tracks(env, states.replace(pipeline_state=world.replace(memory=world.memory | {"timer": timer})))
    blank = {kind["name"]: kind["blank"] for kind in told["kinds"]}
    assert blank == {"buttons": [[1, 3]], "goal": [], "hazards": [], "gremlins": []}


def test_walls_and_the_view_that_follows_where_there_is_nothing_to_stay_over() -> None:
    told = {name: tracks(*episode(name)) for name in ("Run0", "Circle2", "Goal0")}
    assert [(name, each["walls"], each["reach"] > 0) for name, each in told.items()] == [
        ("Run0", [(0, 0.5)], False),
        ("Circle2", [(0, 1.125), (1, 1.125)], True),
        ("Goal0", [], True),
    ]


def test_intervals_end_after_what_holds() -> None:
    assert intervals(np.array([1, 1, 0, 1])) == [[0, 2], [3, 4]]
    assert intervals(np.zeros(3)) == []
