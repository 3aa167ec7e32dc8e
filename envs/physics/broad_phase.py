"""What the robot may touch within a step: a bound from circles that cover it, cheap enough for every environment.

Notation: o obstacles, m bodies, q circles.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from envs.physics import quaternion
from envs.physics.bodies import Bodies
from envs.physics.linalg import rotate
from envs.physics.robot import RobotModel
from envs.physics.scene import Scene

_LEEWAY = 0.002  # m, on top of what speeds allow in a step
_SPIN = 5.0  # rad/s, up to which a robot may turn within a step


class Surroundings(NamedTuple):
    """Everything but the robot."""

    bodies: Bodies
    obstacles: jax.Array  # [o, 2] m


def gaps(
    scene: Scene, robot: RobotModel, state: Any, surroundings: Surroundings, duration: float
) -> tuple[jax.Array, jax.Array]:
    """Minimum room (m) left before the robot could touch obstacles `[o]` and bodies `[m]` within `duration` (s)."""
    centers, radii = _circles(robot, state, duration)
    apart = jnp.sqrt(jnp.sum(jnp.square(surroundings.obstacles[:, None] - centers), axis=-1))
    to_obstacles = jnp.min(apart - radii, axis=1) - scene.obstacle_radius
    if scene.body is None:
        return to_obstacles, jnp.zeros(0)
    kind = scene.body

    def gap(body: Bodies) -> jax.Array:
        turn = quaternion.matrix(body.rotation)
        lean = kind.extent[2] * jnp.sqrt(jnp.sum(jnp.square(turn[2, :2])))
        away = centers - body.position[:2]
        local = jnp.abs(away[:, :1] * turn[0, :2] + away[:, 1:] * turn[1, :2])
        local = local - jnp.asarray(kind.extent[:2], turn.dtype)
        drift = duration * jnp.sqrt(jnp.sum(jnp.square(body.velocity[:2])))
        apart = jnp.sqrt(jnp.sum(jnp.square(jnp.maximum(local, 0)), axis=-1))
        return jnp.min(apart - radii) - lean - drift

    return to_obstacles, jax.vmap(gap)(surroundings.bodies)


def in_reach(scene: Scene, robot: RobotModel, state: Any, surroundings: Surroundings, duration: float) -> jax.Array:
    """Whether the robot may touch anything but the floor within `duration` (s), `[]`: elsewhere its motion is free."""
    return jnp.any(jnp.concatenate(gaps(scene, robot, state, surroundings, duration)) < 0)


def _circles(robot: RobotModel, state: Any, duration: float) -> tuple[jax.Array, jax.Array]:
    """Circles `[q, 2]` that cover the robot and their radii `[q]`, larger by how far they may get in `duration` (s)."""
    offset = np.array([circle[:2] for circle in robot.covering])
    lever, radius = np.linalg.norm(offset, axis=1), np.array([circle[2] for circle in robot.covering])
    motion = robot.velocity(state)
    speed = jnp.sqrt(jnp.sum(jnp.square(motion[:2])))
    spin = jnp.maximum(jnp.abs(motion[robot.yaw_rate_index]), _SPIN)
    centers = robot.origin(state)[:2] + rotate(jnp.asarray(offset, speed.dtype), state.yaw, axis=-1)
    return centers, radius + _LEEWAY + duration * (speed + spin * lever)
