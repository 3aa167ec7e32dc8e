"""Point: a sphere with an arrow, sliding on the plane, with thrust along its heading and a yaw servo.

Its equations of motion are those of the original MuJoCo model (`point.xml` of Safety-Gymnasium), written in the body
frame, where the mass matrix is constant. The three degrees of freedom are the velocity along the heading, the velocity
across it (to the left) and the yaw rate. The center of mass lies ahead of the body's origin, so that turning couples to
the velocity across. Euler steps have implicit joint damping.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import lax

from envs.navigation.robots.base import Patch, Robot
from envs.physics.bodies import GRAVITY
from envs.physics.linalg import rotate
from envs.physics.robot import ROUGH, Frames, Shape, shapes

_TIMESTEP = 0.002
_RADIUS = 0.1  # m, of the sphere
_ARROW_OFFSET = 0.1
_ARROW_HALF = 0.05
_SPHERE_MASS = 4 / 3 * np.pi * _RADIUS**3  # density 1 kg/m^3
_ARROW_MASS = (2 * _ARROW_HALF) ** 3
_MASS = _SPHERE_MASS + _ARROW_MASS
_MOMENT = _ARROW_MASS * _ARROW_OFFSET  # mass times the offset of the center of mass
_INERTIA = 0.4 * _SPHERE_MASS * _RADIUS**2 + _ARROW_MASS * (2 / 3 * _ARROW_HALF**2 + _ARROW_OFFSET**2)
_LINEAR_DAMPING = 0.01
_YAW_DAMPING = 0.005
_GEAR = 0.3
_FORCE_LIMIT = 0.05
_ROLLING = (1.0, 1.0, 0.01, 0.01, 0.01)
_HEIGHT = 0.1
_MAGNETIC_FIELD = -0.5  # along world y


class PointState(struct.PyTreeNode):
    """Pose and motion of the body's origin, in the world frame."""

    position: jax.Array  # [2] m
    yaw: jax.Array  # [] rad, in -pi..pi
    velocity: jax.Array  # [2] m/s
    yaw_rate: jax.Array  # [] rad/s
    acceleration: jax.Array  # [2] m/s^2 of the origin at the end of the step, in the body frame

    @property
    def height(self) -> jax.Array:
        """Height of the origin, [] m."""
        return jnp.full_like(self.yaw, _HEIGHT)


class Point(Robot):
    """One part, a sphere with an arrow."""

    name = "Point"
    action_size = 2
    sensor_sizes = (("accelerometer", 3), ("velocimeter", 3), ("gyro", 3), ("magnetometer", 3))
    timestep = _TIMESTEP
    substeps = 10
    push_box_half = 0.2
    push_box_density = 0.001
    silhouette = (
        Patch("disc", (0.0, 0.0), (_RADIUS,)),
        Patch("box", (_ARROW_OFFSET, 0.0), (_ARROW_HALF, _ARROW_HALF)),
    )

    mass = np.array([[_MASS, 0, 0], [0, _MASS, _MOMENT], [0, _MOMENT, _INERTIA]])
    damping = np.array([_LINEAR_DAMPING, _LINEAR_DAMPING, _YAW_DAMPING])
    linear = np.diag([1.0, 1.0, 0.0])[None]
    angular = np.diag([0.0, 0.0, 1.0])[None]
    centers = np.array([[_MOMENT / _MASS, 0.0, 0.0]])
    spheres = shapes(Shape(0, (0.0, 0.0, 0.0), (_RADIUS,), _ROLLING))
    boxes = shapes(Shape(0, (_ARROW_OFFSET, 0.0, 0.0), (_ARROW_HALF,) * 3, ROUGH))
    wheels = None
    covering = ((0.0, 0.0, _RADIUS), (_ARROW_OFFSET, 0.0, float(np.hypot(_ARROW_HALF, _ARROW_HALF))))
    yaw_rate_index = 2
    iterations = 4

    def initial(self, position: jax.Array, yaw: jax.Array) -> PointState:
        """The state at rest at `position` `[2]`, heading along `yaw` `[]`."""
        zero = jnp.zeros_like(position)
        return PointState(position=position, yaw=yaw, velocity=zero, yaw_rate=jnp.zeros_like(yaw), acceleration=zero)

    def sensors(self, state: PointState) -> jax.Array:
        """Accelerometer, velocimeter, gyro and magnetometer, three axes each, in the body frame; `[12]`."""
        zero = jnp.zeros_like(state.yaw)
        velocity = rotate(state.velocity, -state.yaw)
        field = _MAGNETIC_FIELD * jnp.stack([jnp.sin(state.yaw), jnp.cos(state.yaw)])
        readings = [state.acceleration, zero + GRAVITY, velocity, zero, zero, zero, state.yaw_rate, field, zero]
        return jnp.concatenate([jnp.atleast_1d(reading) for reading in readings])

    def ego_frame(self, state: PointState, points: jax.Array) -> jax.Array:
        """World `points` `[n, 2]` in the robot's frame, x along its heading; `[n, 2]`."""
        return rotate(points - state.position, -state.yaw, axis=-1)

    def origin(self, state: PointState) -> jax.Array:
        """The body's origin projected on the floor, `[3]` m."""
        return jnp.concatenate([state.position, jnp.zeros_like(state.yaw)[None]])

    def frames(self, state: PointState) -> Frames:
        """The frame of the one part, whose origin is the sphere's center."""
        cos, sin = jnp.cos(state.yaw), jnp.sin(state.yaw)
        zero, one = jnp.zeros_like(cos), jnp.ones_like(cos)

        def matrix(*entries: jax.Array) -> jax.Array:
            return jnp.stack(entries).reshape(1, 3, 3, *cos.shape)

        return Frames(
            origin=jnp.stack([zero, zero, zero + _RADIUS])[None],
            axes=matrix(cos, sin, zero, -sin, cos, zero, zero, zero, one),
            linear=matrix(cos, -sin, zero, sin, cos, zero, zero, zero, zero),
            angular=matrix(zero, zero, zero, zero, zero, zero, zero, zero, one),
        )

    def velocity(self, state: PointState) -> jax.Array:
        """The velocity along the heading, the velocity across it and the yaw rate, `[3]`."""
        return jnp.concatenate([rotate(state.velocity, -state.yaw), state.yaw_rate[None]])

    def forces(self, state: PointState, action: jax.Array) -> jax.Array:
        """Thrust, servo and damping, `[3]`."""
        return jnp.stack(_forces(rotate(state.velocity, -state.yaw), state.yaw_rate, action))

    def advance(self, state: PointState, change: jax.Array) -> PointState:
        """An Euler step after the velocities changed by `change` `[3]`."""
        velocity = state.velocity + rotate(change[:2], state.yaw)
        return _moved(state, velocity, state.yaw_rate + change[2])

    def sense(self, state: PointState, acceleration: jax.Array) -> PointState:
        """Keep what the accelerometer measures, and wrap the yaw: a small one is exact in single precision."""
        turns = jnp.round(state.yaw / (2 * jnp.pi))
        return state.replace(acceleration=acceleration[:2], yaw=state.yaw - 2 * jnp.pi * turns)

    def coast(self, state: PointState, action: jax.Array, substeps: int) -> PointState:
        """`substeps` of the equations of motion alone under `action` `[2]` in -1..1, without contacts."""

        def substep(_: int, moving: PointState) -> PointState:
            x, y, turn = self.acceleration(rotate(moving.velocity, -moving.yaw), moving.yaw_rate, action, self.timestep)
            velocity = moving.velocity + self.timestep * rotate(jnp.stack([x, y]), moving.yaw)
            return _moved(moving, velocity, moving.yaw_rate + self.timestep * turn)

        state = lax.fori_loop(0, substeps, substep, state, unroll=True)
        x, y, _ = self.acceleration(rotate(state.velocity, -state.yaw), state.yaw_rate, action, 0.0)
        return self.sense(state, jnp.stack([x, y]))

    def acceleration(
        self, velocity: jax.Array, yaw_rate: jax.Array, action: jax.Array, timestep: float
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Accelerations of x, y and yaw in the body frame, with damping implicit over `timestep` (s).

        `velocity` `[2]` is in the body frame. With a `timestep` of 0 they are what the sensors measure.
        """
        along, across, torque = _forces(velocity, yaw_rate, action)
        mass = _MASS + timestep * _LINEAR_DAMPING
        inertia = _INERTIA + timestep * _YAW_DAMPING
        determinant = mass * inertia - _MOMENT**2
        lateral = (inertia * across - _MOMENT * torque) / determinant
        return along / mass, lateral, (mass * torque - _MOMENT * across) / determinant


def _forces(velocity: jax.Array, yaw_rate: jax.Array, action: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Force (N) along and across the heading and torque (N m); `velocity` `[2]` in the body frame."""
    thrust = _GEAR * jnp.clip(action[0], -_FORCE_LIMIT, _FORCE_LIMIT)
    torque = _GEAR * jnp.clip(action[1] - _GEAR * yaw_rate, -_FORCE_LIMIT, _FORCE_LIMIT)
    along = thrust - _LINEAR_DAMPING * velocity[0] + _MOMENT * yaw_rate**2
    return along, -_LINEAR_DAMPING * velocity[1], torque - _YAW_DAMPING * yaw_rate


def _moved(state: PointState, velocity: jax.Array, yaw_rate: jax.Array) -> PointState:
    """The state a timestep later at the new `velocity` `[2]` and `yaw_rate` `[]`."""
    return state.replace(
        position=state.position + _TIMESTEP * velocity,
        yaw=state.yaw + _TIMESTEP * yaw_rate,
        velocity=velocity,
        yaw_rate=yaw_rate,
    )
