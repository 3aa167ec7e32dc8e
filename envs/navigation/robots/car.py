"""Car: a chassis on two motor-driven wheels and a ball caster, driving by friction with the floor.

The state is the original MuJoCo model's (`car.xml` of Safety-Gymnasium) without the wheels' angles, which nothing
depends on. Its equations of motion and its contacts, also those with the floor, are in `envs.physics`.
"""

import jax
import jax.numpy as jnp
from flax import struct

from envs.physics import quaternion
from envs.physics.linalg import to_world

ACTION_SIZE = 2
SENSOR_SIZE = 24
TIMESTEP = 0.004
SUBSTEPS = 10
PUSH_BOX_HALF = 0.125
PUSH_BOX_DENSITY = 0.0005
OUTLINE = (
    ("box", (0.0, 0.0), (0.1, 0.1)),
    ("box", (0.0, 0.15), (0.1, 0.01)),
    ("box", (0.0, 0.125), (0.01, 0.025)),
    ("box", (0.0, -0.165), (0.05, 0.01)),
    ("box", (0.0, -0.13), (0.05, 0.03)),
    ("box", (-0.13, 0.1), (0.025, 0.05)),
    ("box", (0.13, 0.1), (0.025, 0.05)),
    ("disc", (0.0, -0.1), (0.05,)),
)  # seen from above
FORCE_LIMIT = 0.02  # N m, of a motor
GRAVITY = 9.81
_START_HEIGHT = 0.1  # m: the wheels just touch the floor
_MAGNETIC_FIELD = -0.5  # along world y


class CarState(struct.PyTreeNode):
    """Pose and motion of the chassis, its wheels and its caster."""

    position: jax.Array  # [2] m, of the chassis' origin
    height: jax.Array  # [] m
    rotation: jax.Array  # [4] unit quaternion of the chassis
    velocity: jax.Array  # [3] m/s, world frame
    angular: jax.Array  # [3] rad/s, chassis frame
    wheels: jax.Array  # [2] rad/s, left and right
    ball: jax.Array  # [4] unit quaternion of the caster in the chassis
    ball_rate: jax.Array  # [3] rad/s of the caster against the chassis, in the caster's frame
    acceleration: jax.Array  # [3] m/s^2 of the origin at the end of the step, chassis frame

    @property
    def yaw(self) -> jax.Array:
        """Heading `[]` (rad): the direction of the chassis' x axis in the plane."""
        w, x, y, z = (self.rotation[..., index] for index in range(4))
        return jnp.arctan2(2 * (x * y + w * z), 1 - 2 * (y * y + z * z))


def initial(position: jax.Array, yaw: jax.Array) -> CarState:
    """At rest at `position` `[2]`, heading along `yaw` `[]`."""
    zero = jnp.zeros(3, position.dtype)
    return CarState(
        position=position,
        height=jnp.full_like(yaw, _START_HEIGHT),
        rotation=quaternion.from_yaw(yaw),
        velocity=zero,
        angular=zero,
        wheels=zero[:2],
        ball=quaternion.from_yaw(jnp.zeros_like(yaw)),
        ball_rate=zero,
        acceleration=zero,
    )


def sensors(state: CarState) -> jax.Array:
    """Accelerometer, velocimeter, gyro, magnetometer, the caster's rate and its orientation as a 3x3 matrix; `[24]`."""
    turn = quaternion.matrix(state.rotation)
    accelerometer = state.acceleration + GRAVITY * turn[2]
    ball = quaternion.matrix(state.ball).reshape(9)
    return jnp.concatenate(
        [accelerometer, to_world(turn, state.velocity), state.angular, _MAGNETIC_FIELD * turn[1], state.ball_rate, ball]
    )


def ego_frame(state: CarState, points: jax.Array) -> jax.Array:
    """World `points` `[n, 2]`, on the floor, along x and y of the chassis, which leans a little; `[n, 2]`."""
    turn = quaternion.matrix(state.rotation)[:, :2]
    away = points - state.position
    return away[..., :1] * turn[0] + away[..., 1:] * turn[1] - state.height * turn[2]
