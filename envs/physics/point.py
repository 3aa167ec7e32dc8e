"""The Point robot as data for the engine: one part with a sphere and an arrow, sliding on the plane.

Its three degrees of freedom are the velocity along the heading, across it, and the yaw rate.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from envs.geometry import turned
from envs.navigation.robots import point
from envs.navigation.robots.point import PointState
from envs.physics.robot import ROUGH, Frames, RobotModel, Shape, shapes

_ROLLING = (1.0, 1.0, 0.01, 0.01, 0.01)


class Point(RobotModel):
    """How Point moves."""

    def origin(self, state: PointState) -> jax.Array:
        """On the floor, `[3]` m."""
        return jnp.concatenate([state.position, jnp.zeros_like(state.yaw)[None]])

    def frames(self, state: PointState) -> Frames:
        """Of its one part, whose origin is the sphere's center."""
        cos, sin = jnp.cos(state.yaw), jnp.sin(state.yaw)
        zero, one = jnp.zeros_like(cos), jnp.ones_like(cos)

        def matrix(*entries: jax.Array) -> jax.Array:
            return jnp.stack(entries).reshape(1, 3, 3, *cos.shape)

        return Frames(
            origin=jnp.stack([zero, zero, zero + point.SPHERE_RADIUS])[None],
            axes=matrix(cos, sin, zero, -sin, cos, zero, zero, zero, one),
            linear=matrix(cos, -sin, zero, sin, cos, zero, zero, zero, zero),
            angular=matrix(zero, zero, zero, zero, zero, zero, zero, zero, one),
        )

    def velocity(self, state: PointState) -> jax.Array:
        """Along the heading, across it and the yaw rate, `[3]`."""
        return jnp.concatenate([turned(state.velocity, -state.yaw), state.yaw_rate[None]])

    def forces(self, state: PointState, action: jax.Array) -> jax.Array:
        """Thrust, servo and damping, `[3]`."""
        return jnp.stack(point.forces(turned(state.velocity, -state.yaw), state.yaw_rate, action))

    def advance(self, state: PointState, change: jax.Array) -> PointState:
        """Euler's step after the velocities changed by `change` `[3]`."""
        velocity = state.velocity + turned(change[:2], state.yaw)
        yaw_rate = state.yaw_rate + change[2]
        return dataclasses.replace(
            state,
            position=state.position + point.TIMESTEP * velocity,
            yaw=state.yaw + point.TIMESTEP * yaw_rate,
            velocity=velocity,
            yaw_rate=yaw_rate,
        )

    def sense(self, state: PointState, acceleration: jax.Array) -> PointState:
        """Keep what the accelerometer measures, and a small yaw."""
        turns = jnp.round(state.yaw / (2 * jnp.pi))
        return dataclasses.replace(state, acceleration=acceleration[:2], yaw=state.yaw - 2 * jnp.pi * turns)

    def coast(self, state: PointState, action: jax.Array, substeps: int) -> PointState:
        """The equations of motion alone, without contacts."""
        return point.step(state, action, substeps)


def model() -> RobotModel:
    """The Point robot."""
    mass, moment = float(point.MASS), float(point.MASS_MOMENT)
    matrix = np.array([[mass, 0, 0], [0, mass, moment], [0, moment, float(point.INERTIA)]])
    planar, turning = np.diag([1.0, 1.0, 0.0]), np.diag([0.0, 0.0, 1.0])
    return Point(
        mass=matrix,
        damping=np.array([point.LINEAR_DAMPING, point.LINEAR_DAMPING, point.YAW_DAMPING]),
        linear=planar[None],
        angular=turning[None],
        centers=np.array([[moment / mass, 0.0, 0.0]]),
        spheres=shapes(Shape(0, (0.0, 0.0, 0.0), (point.SPHERE_RADIUS,), _ROLLING)),
        boxes=shapes(Shape(0, (point.ARROW_OFFSET, 0.0, 0.0), (point.ARROW_HALF,) * 3, ROUGH)),
        wheels=None,
        timestep=point.TIMESTEP,
        outline=(
            (0.0, 0.0, point.SPHERE_RADIUS),
            (point.ARROW_OFFSET, 0.0, float(np.hypot(point.ARROW_HALF, point.ARROW_HALF))),
        ),
        spin=2,
        iterations=4,
    )
