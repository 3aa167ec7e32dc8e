"""Recordings of the original environments as states of the ports.

A recording is one npz file: MuJoCo's full state and what the environment made of it. The reference page on environments
describes observations.

Notation: E episodes of T steps, flattened to R = E T rows; row 0 of an episode is the state after its reset.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from envs import physics
from envs.navigation.env import NavigationEnv
from envs.navigation.robots.car import Car, CarState
from envs.navigation.robots.point import Point, PointState
from envs.navigation.world import World

_FREE_JOINT, _POSE, _TWIST = 0, 7, 6


class Recording(NamedTuple):
    """The contents of one file. Arrays are `[E, T + 1, ...]`."""

    task: str  # "PointGoal1"
    arrays: dict[str, np.ndarray]
    meta: dict[str, Any]
    layouts: list[dict[str, Any]]

    def rows(self, name: str, *, after: bool) -> np.ndarray:
        """`name` before or after each step, `[R, ...]`."""
        values = self.arrays[name]
        chosen = values[:, 1:] if after else values[:, :-1]
        return chosen.reshape(-1, *values.shape[2:])


def read(path: Path) -> Recording:
    """Read the recording in `path`. Raises ValueError, in one line, if the file is not a recording."""
    try:
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        meta, layouts = json.loads(str(arrays.pop("meta_json"))), json.loads(str(arrays.pop("layout_json")))
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(f"{path} is not a recording ({error}): give npz files with qpos, qvel, meta_json …") from None
    return Recording(meta["task"], arrays, meta, layouts)


def _point(recording: Recording, after: bool) -> PointState:
    """The states of Point, whose joints are along the layout's heading and count from the layout's place."""
    steps = recording.arrays["qpos"].shape[1] - 1
    turn = np.repeat([layout["_agent_rot"] for layout in recording.layouts], steps)
    place = np.repeat([layout["agent"] for layout in recording.layouts], steps, axis=0)
    qpos, qvel = recording.rows("qpos", after=after), recording.rows("qvel", after=after)
    cos, sin = np.cos(turn), np.sin(turn)
    rotated = np.stack([np.stack([cos, sin], axis=1), np.stack([-sin, cos], axis=1)], axis=1)

    def world(vectors: np.ndarray) -> np.ndarray:
        return np.einsum("ri,rij->rj", vectors, rotated)

    yaw = turn + qpos[:, 2]
    return PointState(
        position=jnp.asarray(place + world(qpos[:, :2])),
        yaw=jnp.asarray(yaw - 2 * np.pi * np.round(yaw / (2 * np.pi))),
        velocity=jnp.asarray(world(qvel[:, :2])),
        yaw_rate=jnp.asarray(qvel[:, 2]),
        acceleration=jnp.zeros((len(yaw), 2)),
    )


def _car(recording: Recording, after: bool) -> CarState:
    """The states of Car, which MuJoCo keeps as they are."""
    qpos, qvel = (jnp.asarray(recording.rows(name, after=after)) for name in ("qpos", "qvel"))
    return CarState(
        position=qpos[:, :2],
        height=qpos[:, 2],
        rotation=qpos[:, 3:7],
        velocity=qvel[:, :3],
        angular=qvel[:, 3:6],
        wheels=qvel[:, 6:8],
        ball=qpos[:, 9:13],
        ball_rate=qvel[:, 8:11],
        acceleration=jnp.zeros((len(qpos), 3)),
    )


_ROBOT_STATES: dict[str, Callable[[Recording, bool], Any]] = {Point.name: _point, Car.name: _car}


def _bodies(recording: Recording, after: bool) -> physics.Bodies:
    """The movable bodies: all free joints but the robot's, in the order of the model."""
    joints = [joint for joint in recording.meta["joint_names"] if joint[3] == _FREE_JOINT and joint[0] != "agent"]
    qpos, qvel = recording.rows("qpos", after=after), recording.rows("qvel", after=after)
    pose = [qpos[:, None, start : start + _POSE] for _, start, _, _ in joints]
    twist = [qvel[:, None, start : start + _TWIST] for _, _, start, _ in joints]
    poses = jnp.asarray(np.concatenate([np.zeros((len(qpos), 0, _POSE)), *pose], axis=1))
    twists = jnp.asarray(np.concatenate([np.zeros((len(qpos), 0, _TWIST)), *twist], axis=1))
    start = np.repeat(recording.arrays["qpos"][:, 0], recording.arrays["qpos"].shape[1] - 1, axis=0)
    homes = [start[:, None, first : first + _POSE] for _, first, _, _ in joints]
    home = jnp.asarray(np.concatenate([np.zeros((len(qpos), 0, _POSE)), *homes], axis=1))
    return physics.Bodies(
        poses[..., :3], poses[..., 3:], twists[..., :3], twists[..., 3:], home[..., :3], home[..., 3:]
    )


def _objects(recording: Recording, env: NavigationEnv, bodies: physics.Bodies, after: bool) -> dict[str, Any]:
    count = len(bodies.position)
    objects: dict[str, Any] = {}
    for kind in env.task.kinds:
        if kind.solid == "movable":
            objects[kind.name] = bodies.position[..., :2]
        elif kind.name == "goal":
            objects[kind.name] = jnp.asarray(recording.rows("goal_pos", after=after))[:, None, :2]
        elif f"pos_{kind.name}" in recording.arrays:
            objects[kind.name] = jnp.asarray(recording.rows(f"pos_{kind.name}", after=after))[..., :2]
        else:
            objects[kind.name] = jnp.zeros((count, kind.count, 2))
    return objects


def worlds(recording: Recording, env: NavigationEnv, *, after: bool) -> World:
    """The recorded states before or after each step, leading axis `[R]`, without touches and accelerations."""
    bodies = _bodies(recording, after)
    count, steps = len(bodies.position), recording.arrays["qpos"].shape[1] - 1
    objects = _objects(recording, env, bodies, after)
    obstacles = sum(kind.count for kind in env.task.kinds if kind.solid == "fixed")
    named = ("goal_button", "timer") if env.task.has("buttons") else ()
    return World(
        robot=_ROBOT_STATES[env.robot.name](recording, after),
        objects=objects,
        bodies=bodies,
        touch=physics.Touch(jnp.zeros((count, obstacles), bool), jnp.zeros(bodies.position.shape[:2], bool)),
        memory={name: jnp.asarray(recording.rows(name, after=after), jnp.int32) for name in named},
        steps=jnp.asarray(np.tile(np.arange(steps) + int(after), count // steps), jnp.int32),
        key=jnp.zeros((count, 2), jnp.uint32),
    )
