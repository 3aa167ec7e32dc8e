"""The ports against recordings of the genuine environment (MuJoCo 2.3.3), at its states and one step from them.

R recorded rows.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from paths import DATA

import envs
from envs import physics
from envs.navigation.robots import Point
from envs.navigation.robots.point import PointState
from envs.navigation.world import World
from envs.physics.linalg import rotate

TRAJECTORIES = DATA / "trajectories"
SOLID = ("buttons", "gremlins", "vases", "pillars", "push_box")
TASKS = ("PointGoal1", "PointButton1", "PointCircle1", "PointPush1")


def load(task: str) -> dict[str, np.ndarray]:
    with np.load(TRAJECTORIES / f"{task}.npz") as file:
        rows = dict(file)
    for name in ("before_yaw", "after_yaw"):
        rows[name] = wrap(rows[name])
    return rows


def wrap(angle: np.ndarray) -> np.ndarray:
    return angle - 2 * np.pi * np.round(angle / (2 * np.pi))


def worlds(env: envs.SafeEnv, rows: dict[str, np.ndarray], when: str) -> World:
    """The recorded worlds `when` ("before" or "after") each row's step, with leading axis [R]."""
    count = len(rows["reward"])
    robot = PointState(
        position=jnp.asarray(rows[f"{when}_position"]),
        yaw=jnp.asarray(rows[f"{when}_yaw"]),
        velocity=jnp.asarray(rows[f"{when}_velocity"]),
        yaw_rate=jnp.asarray(rows[f"{when}_yaw_rate"]),
        acceleration=jnp.zeros((count, 2)),
    )
    body = jax.vmap(lambda s: rotate(s.velocity, -s.yaw))(robot)
    action = jnp.asarray(rows["action"])
    x, y, _ = jax.vmap(lambda v, w, a: Point().acceleration(v, w, a, 0.0))(body, robot.yaw_rate, action)
    names = [kind.name for kind in env.task.kinds]
    positions = {name: rows.get(f"{when}_{name}", rows[f"after_{name}"]) for name in names}
    return World(
        robot=robot.replace(acceleration=jnp.stack([x, y], axis=-1)),
        objects={name: jnp.asarray(value.reshape(count, -1, 3)[..., :2]) for name, value in positions.items()},
        bodies=bodies(env, rows, when),
        touch=physics.Touch(touched(rows, "button", 4), touched(rows, "gremlin", 4) | touched(rows, "vase", 4)),
        memory={name: jnp.asarray(rows[f"{when}_{name}"].astype(np.int32)) for name in ("goal_button", "timer")},
        steps=jnp.asarray(rows["step"].astype(np.int32)),
        key=jnp.zeros((count, 2), jnp.uint32),
    )


def bodies(env: envs.SafeEnv, rows: dict[str, np.ndarray], when: str) -> physics.Bodies:
    """The push box where it was recorded; no task's reward or cost needs other bodies."""
    count = len(rows["reward"])
    position = jnp.asarray(rows[f"{when}_push_box"]) if env.task.has("push_box") else jnp.zeros((count, 0, 3))
    zero = jnp.zeros_like(position)
    turn = jnp.zeros((*position.shape[:2], 4))
    return physics.Bodies(position, turn, zero, zero, position, turn)


def touched(rows: dict[str, np.ndarray], name: str, number: int) -> jax.Array:
    """Which objects `name` the robot touched after the step, from the recorded pairs of shapes; bool [R, number]."""
    pairs = [[pair.split("|") for pair in row.split(";")] for row in rows["contacts"]]
    labels = [{f"{name}{index}", f"{name}{index}obj"} for index in range(number)]
    return jnp.array([[any(label & set(pair) for pair in row) for label in labels] for row in pairs])


@pytest.fixture(scope="module", params=TASKS)
def recording(request: pytest.FixtureRequest) -> tuple[envs.SafeEnv, dict[str, np.ndarray]]:
    return envs.make(f"Safety{request.param}-v0"), load(request.param)


@pytest.mark.parametrize(("x64", "sensor_bound", "lidar_bound"), [(True, 1e-10, 1e-10), (False, 1e-4, 5e-6)])
def test_observations_at_recorded_states(recording, x64: bool, sensor_bound: float, lidar_bound: float) -> None:
    env, rows = recording
    with jax.enable_x64(x64):
        obs = np.asarray(jax.jit(jax.vmap(env.observe))(worlds(env, rows, "after")))
    error = np.abs(obs - rows["obs"])
    free = rows["contacts"] == ""
    assert free.sum() > 100
    assert error[:, 2:12].max() <= sensor_bound
    assert error[free, :2].max() <= sensor_bound, "accelerometer"
    # Nearer than 2 cm, float32 positions of 1 m themselves leave the bearing this uncertain.
    assert error[nearest(env, rows) > 0.02, 12:].max() <= lidar_bound


def nearest(env: envs.SafeEnv, rows: dict[str, np.ndarray]) -> np.ndarray:
    """Distance [R] from the robot to the nearest thing that a lidar sees."""
    points = np.concatenate(
        [rows[f"after_{name}"].reshape(len(rows["reward"]), -1, 3) for name in env.task.lidars], axis=1
    )
    return np.linalg.norm(points[..., :2] - rows["after_position"][:, None], axis=-1).min(axis=1)


def test_rewards_and_costs_at_recorded_states(recording) -> None:
    env, rows = recording

    def judge(before: World, after: World) -> tuple:
        return env.task.reward(before, after), env.task.costs(after)

    with jax.enable_x64(True):
        before, after = worlds(env, rows, "before"), worlds(env, rows, "after")
        after = after.replace(memory=before.memory, objects=after.objects | before_goal(before))
        reward, costs = jax.jit(jax.vmap(judge))(before, after)
    np.testing.assert_allclose(np.clip(reward, -10, 10), rows["reward"], atol=1e-9)
    assert set(costs) == set(env.cost_names)
    for name, values in costs.items():
        # The original leaves out the buttons' cost while the timer runs.
        np.testing.assert_array_equal(values, np.nan_to_num(rows[name]), err_msg=name)
    assert rows["cost"].sum() > 5 or env.task.has("push_box"), "nothing tested"


def before_goal(before: World) -> dict[str, jax.Array]:
    return {"goal": before.objects["goal"]} if "goal" in before.objects else {}


@pytest.mark.parametrize(("x64", "bounds"), [(True, (1e-12, 1e-12, 1e-11, 1e-9)), (False, (2e-6, 2e-5, 2e-4, 1e-2))])
def test_free_motion_of_one_step(recording, x64: bool, bounds: tuple[float, ...]) -> None:
    _, rows = recording
    free = free_rows(rows)
    assert free.sum() > 30
    with jax.enable_x64(x64):
        state = PointState(
            position=jnp.asarray(rows["before_position"]),
            yaw=jnp.asarray(rows["before_yaw"]),
            velocity=jnp.asarray(rows["before_velocity"]),
            yaw_rate=jnp.asarray(rows["before_yaw_rate"]),
            acceleration=jnp.zeros((len(free), 2)),
        )
        after = jax.jit(jax.vmap(partial(Point().coast, substeps=Point.substeps)))(state, jnp.asarray(rows["action"]))
    for name, bound in zip(("position", "yaw", "velocity", "yaw_rate"), bounds, strict=True):
        error = np.asarray(getattr(after, name), np.float64) - rows[f"after_{name}"]
        error = np.abs(wrap(error) if name == "yaw" else error)
        assert error[free].max() <= bound, name


def free_rows(rows: dict[str, np.ndarray]) -> np.ndarray:
    """Rows whose ten substeps stay clear of everything that collides: by more than the robot and its way can span."""
    solid = [rows[f"after_{name}"] for name in SOLID if f"after_{name}" in rows]
    gaps = [np.linalg.norm(points[..., :2] - rows["after_position"][:, None], axis=-1).min(axis=1) for points in solid]
    return np.all([gap > 0.6 for gap in gaps] or [np.ones(len(rows["reward"]), bool)], axis=0)


def test_timer_and_goal_button_follow_the_recording() -> None:
    env, rows = envs.make("SafetyPointButton1-v0"), load("PointButton1")
    before, after = worlds(env, rows, "before"), worlds(env, rows, "after")
    after = after.replace(memory=before.memory, objects=after.objects | before_goal(before))
    keys = jax.random.split(jax.random.PRNGKey(0), len(rows["reward"]))
    advanced = jax.jit(jax.vmap(lambda world, key: env.task.advance(world, key)))(after, keys)
    np.testing.assert_array_equal(advanced.memory["timer"], rows["after_timer"])
    unmet = rows["goal_met"] == 0
    np.testing.assert_array_equal(advanced.memory["goal_button"][unmet], rows["after_goal_button"][unmet])
    assert (~unmet).sum() >= 2 and (rows["after_timer"] > 0).sum() >= 10


def test_goals_move_in_the_step_they_are_reached() -> None:
    env, rows = envs.make("SafetyPointGoal1-v0"), load("PointGoal1")
    before, after = worlds(env, rows, "before"), worlds(env, rows, "after")
    after = after.replace(objects=after.objects | before_goal(before))
    keys = jax.random.split(jax.random.PRNGKey(0), len(rows["reward"]))
    advanced = jax.jit(jax.vmap(lambda world, key: env.task.advance(world, key)))(after, keys)
    moved = np.any(np.asarray(advanced.objects["goal"] != before.objects["goal"]), axis=(1, 2))
    np.testing.assert_array_equal(moved, rows["goal_met"] > 0)
    assert moved.sum() == 3
