"""Point: a sphere with an arrow, sliding on the plane, thrust along its heading and a yaw servo.

Equations of motion of the original MuJoCo model (`point.xml` of Safety-Gymnasium), written in the body frame, where the
mass matrix is constant: x along the heading, y to its left, yaw. The center of mass lies ahead of the body's origin,
so that turning couples to y. Euler steps with implicit joint damping.
"""

import jax
import jax.numpy as jnp
from flax import struct
from jax import lax

from envs.geometry import rotate

ACTION_SIZE = 2
SENSOR_SIZE = 12
PUSH_BOX_HALF = 0.2
PUSH_BOX_DENSITY = 0.001
TIMESTEP = 0.002
SUBSTEPS = 10

SPHERE_RADIUS = 0.1
ARROW_OFFSET = 0.1
ARROW_HALF = 0.05
_SPHERE_MASS = 4 / 3 * jnp.pi * SPHERE_RADIUS**3  # density 1 kg/m^3
_ARROW_MASS = (2 * ARROW_HALF) ** 3
MASS = _SPHERE_MASS + _ARROW_MASS
MASS_MOMENT = _ARROW_MASS * ARROW_OFFSET  # mass times the offset of the center of mass
INERTIA = 0.4 * _SPHERE_MASS * SPHERE_RADIUS**2 + _ARROW_MASS * (2 / 3 * ARROW_HALF**2 + ARROW_OFFSET**2)
LINEAR_DAMPING = 0.01
YAW_DAMPING = 0.005
_GEAR = 0.3
_FORCE_LIMIT = 0.05
OUTLINE = (
    ("disc", (0.0, 0.0), (SPHERE_RADIUS,)),
    ("box", (ARROW_OFFSET, 0.0), (ARROW_HALF, ARROW_HALF)),
)  # seen from above
_HEIGHT = 0.1
_GRAVITY = 9.81
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


def initial(position: jax.Array, yaw: jax.Array) -> PointState:
    """At rest at `position` `[2]`, heading along `yaw` `[]`."""
    zero = jnp.zeros_like(position)
    return PointState(position=position, yaw=yaw, velocity=zero, yaw_rate=jnp.zeros_like(yaw), acceleration=zero)


def forces(velocity: jax.Array, yaw_rate: jax.Array, action: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Body-frame force (N) along and across the heading and torque (N m); `velocity` `[2]` in the body frame."""
    thrust = _GEAR * jnp.clip(action[0], -_FORCE_LIMIT, _FORCE_LIMIT)
    torque = _GEAR * jnp.clip(action[1] - _GEAR * yaw_rate, -_FORCE_LIMIT, _FORCE_LIMIT)
    along = thrust - LINEAR_DAMPING * velocity[0] + MASS_MOMENT * yaw_rate**2
    return along, -LINEAR_DAMPING * velocity[1], torque - YAW_DAMPING * yaw_rate


def acceleration(
    velocity: jax.Array, yaw_rate: jax.Array, action: jax.Array, timestep: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Body-frame accelerations of x, y and yaw, with damping implicit over `timestep` (0: what the sensors measure)."""
    along, across, torque = forces(velocity, yaw_rate, action)
    mass = MASS + timestep * LINEAR_DAMPING
    inertia = INERTIA + timestep * YAW_DAMPING
    determinant = mass * inertia - MASS_MOMENT**2
    lateral = (inertia * across - MASS_MOMENT * torque) / determinant
    return along / mass, lateral, (mass * torque - MASS_MOMENT * across) / determinant


def _substep(state: PointState, action: jax.Array, timestep: float) -> PointState:
    x, y, turn = acceleration(rotate(state.velocity, -state.yaw), state.yaw_rate, action, timestep)
    velocity = state.velocity + timestep * rotate(jnp.stack([x, y]), state.yaw)
    yaw_rate = state.yaw_rate + timestep * turn
    return state.replace(
        position=state.position + timestep * velocity,
        yaw=state.yaw + timestep * yaw_rate,
        velocity=velocity,
        yaw_rate=yaw_rate,
    )


def step(state: PointState, action: jax.Array, substeps: int = SUBSTEPS) -> PointState:
    """`substeps` of TIMESTEP under `action` `[2]` in -1..1, touching nothing."""
    state = lax.fori_loop(0, substeps, lambda _, moving: _substep(moving, action, TIMESTEP), state, unroll=True)
    x, y, _ = acceleration(rotate(state.velocity, -state.yaw), state.yaw_rate, action, 0.0)
    turns = jnp.round(state.yaw / (2 * jnp.pi))  # a small yaw is an exact one in float32
    return state.replace(acceleration=jnp.stack([x, y]), yaw=state.yaw - 2 * jnp.pi * turns)


def sensors(state: PointState) -> jax.Array:
    """Accelerometer, velocimeter, gyro and magnetometer, three axes each, in the body frame; `[12]`."""
    zero = jnp.zeros_like(state.yaw)
    velocity = rotate(state.velocity, -state.yaw)
    field = _MAGNETIC_FIELD * jnp.stack([jnp.sin(state.yaw), jnp.cos(state.yaw)])
    readings = [state.acceleration, zero + _GRAVITY, velocity, zero, zero, zero, state.yaw_rate, field, zero]
    return jnp.concatenate([jnp.atleast_1d(reading) for reading in readings])


def ego_frame(state: PointState, points: jax.Array) -> jax.Array:
    """World `points` `[n, 2]` in the robot's frame, x along its heading; `[n, 2]`."""
    return rotate(points - state.position, -state.yaw)
