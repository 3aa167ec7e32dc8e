"""Car: a chassis on two motor-driven wheels and a ball caster, driven by friction with the floor.

The state is that of the original MuJoCo model (`car.xml` of Safety-Gymnasium) without the wheels' angles, on which
nothing depends. The eleven degrees of freedom are the chassis' velocity (3) and angular velocity (3), the wheels' rates
(left, right) and the caster's rate relative to the chassis (3), all in the chassis' frame, in which the mass matrix is
constant.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from envs.navigation.robots.base import Patch, Robot
from envs.navigation.robots.point import Point
from envs.physics import quaternion
from envs.physics.bodies import GRAVITY
from envs.physics.linalg import aligned, apply, cross, product, to_local, to_world
from envs.physics.robot import Frames, Shape, shapes

_TIMESTEP = 0.004
_START_HEIGHT = 0.1  # m: the wheels just touch the floor
_MAGNETIC_FIELD = -0.5  # along world y
_FORCE_LIMIT = 0.02  # N m, of a motor
_DENSITY = 5.0
_DAMPING = 0.001
_CHASSIS = (
    Shape(0, (0.0, 0.0, 0.0), (0.1, 0.1, 0.05)),
    Shape(0, (0.0, 0.15, 0.0), (0.1, 0.01, 0.05)),  # back bumper
    Shape(0, (0.0, 0.125, 0.0), (0.01, 0.025, 0.03)),
    Shape(0, (0.0, -0.165, 0.0), (0.05, 0.01, 0.05)),  # front bumper
    Shape(0, (0.0, -0.13, 0.04), (0.05, 0.03, 0.01)),
)
_RADIUS = 0.05  # m, of the wheels and of the caster
_HALF_WIDTH = 0.025
_HUBS = np.array([[0.0, 0.0, 0.0], [-0.1, 0.1, -0.05], [0.1, 0.1, -0.05], [0.0, -0.1, -0.05]])
_WHEEL_OFFSET = 0.03
_WHEELS = (
    Shape(1, (-_WHEEL_OFFSET, 0.0, 0.0), (_RADIUS, _HALF_WIDTH)),
    Shape(2, (_WHEEL_OFFSET, 0.0, 0.0), (_RADIUS, _HALF_WIDTH)),
)
_CASTER = Shape(3, (0.0, 0.0, 0.0), (_RADIUS,))


class CarState(struct.PyTreeNode):
    """Pose and motion of the chassis, its wheels and its caster."""

    position: jax.Array  # [2] m, of the chassis' origin
    height: jax.Array  # [] m
    rotation: jax.Array  # [4] unit quaternion of the chassis
    velocity: jax.Array  # [3] m/s, world frame
    angular: jax.Array  # [3] rad/s, chassis frame
    wheels: jax.Array  # [2] rad/s, left and right
    ball: jax.Array  # [4] unit quaternion of the caster in the chassis
    ball_rate: jax.Array  # [3] rad/s of the caster relative to the chassis, in the caster's frame
    acceleration: jax.Array  # [3] m/s^2 of the origin at the end of the step, chassis frame

    @property
    def yaw(self) -> jax.Array:
        """Heading `[]` (rad): the direction of the chassis' x axis in the plane."""
        w, x, y, z = (self.rotation[..., index] for index in range(4))
        return jnp.arctan2(2 * (x * y + w * z), 1 - 2 * (y * y + z * z))


def _skew(vector: np.ndarray) -> np.ndarray:
    x, y, z = vector
    return np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])


def _part_maps() -> tuple[np.ndarray, np.ndarray]:
    """Velocity of each part's origin and angular velocity of each part by the degrees of freedom, `[4, 3, 11]` both."""
    linear, angular = np.zeros((4, 3, 11)), np.zeros((4, 3, 11))
    for part, hub in enumerate(_HUBS):
        linear[part, :, :3], linear[part, :, 3:6] = np.eye(3), -_skew(hub)
        angular[part, :, 3:6] = np.eye(3)
    angular[1, 0, 6] = angular[2, 0, 7] = 1
    angular[3, :, 8:] = np.eye(3)
    return linear, angular


_LINEAR, _ANGULAR = _part_maps()


def _mass_matrix() -> np.ndarray:
    """The mass matrix `[11, 11]`, from the shapes' densities."""
    solids = []
    for shape in _CHASSIS:
        half = np.array(shape.size)
        mass = 8 * _DENSITY * np.prod(half)
        solids.append((shape, mass, mass / 3 * np.diag(np.sum(half**2) - half**2)))
    for shape in _WHEELS:
        mass = _DENSITY * np.pi * _RADIUS**2 * 2 * _HALF_WIDTH
        across = mass * (_RADIUS**2 / 4 + _HALF_WIDTH**2 / 3)
        solids.append((shape, mass, np.diag([mass * _RADIUS**2 / 2, across, across])))
    mass = _DENSITY * 4 / 3 * np.pi * _RADIUS**3
    solids.append((_CASTER, mass, 0.4 * mass * _RADIUS**2 * np.eye(3)))
    total = np.zeros((11, 11))
    for shape, mass, inertia in solids:
        linear = _LINEAR[shape.part] - _skew(np.array(shape.offset)) @ _ANGULAR[shape.part]
        total += mass * linear.T @ linear + _ANGULAR[shape.part].T @ inertia @ _ANGULAR[shape.part]
    return total


def _centers() -> np.ndarray:
    """The parts' centers of mass, `[4, 3]`."""
    masses = np.array([np.prod(shape.size) for shape in _CHASSIS])
    chassis = masses @ np.array([shape.offset for shape in _CHASSIS]) / np.sum(masses)
    return np.array([chassis, _WHEELS[0].offset, _WHEELS[1].offset, _CASTER.offset])


class Car(Robot):
    """Four parts: the chassis, the left and the right wheel, and the caster."""

    name = "Car"
    action_size = 2
    sensor_sizes = (*Point.sensor_sizes, ("ballangvel_rear", 3), ("ballquat_rear", 9))
    timestep = _TIMESTEP
    substeps = 10
    push_box_half = 0.125
    push_box_density = 0.0005
    silhouette = (
        Patch("box", (0.0, 0.0), (0.1, 0.1)),
        Patch("box", (0.0, 0.15), (0.1, 0.01)),
        Patch("box", (0.0, 0.125), (0.01, 0.025)),
        Patch("box", (0.0, -0.165), (0.05, 0.01)),
        Patch("box", (0.0, -0.13), (0.05, 0.03)),
        Patch("box", (-0.13, 0.1), (0.025, 0.05)),
        Patch("box", (0.13, 0.1), (0.025, 0.05)),
        Patch("disc", (0.0, -0.1), (0.05,)),
    )

    mass = _mass_matrix()
    damping = np.array([0.0] * 6 + [_DAMPING] * 5)
    linear, angular = _LINEAR, _ANGULAR
    centers = _centers()
    spheres = shapes(_CASTER)
    boxes = shapes(*_CHASSIS)
    wheels = shapes(*_WHEELS)
    covering = ((0.0, 0.11, 0.17), (0.0, -0.05, 0.12), (0.0, -0.15, 0.06))
    yaw_rate_index = 5
    iterations = 8

    def initial(self, position: jax.Array, yaw: jax.Array) -> CarState:
        """The state at rest at `position` `[2]`, heading along `yaw` `[]`."""
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

    def sensors(self, state: CarState) -> jax.Array:
        """The four sensors of Point, the caster's rate and its orientation as a 3x3 matrix; `[24]`."""
        turn = quaternion.matrix(state.rotation)
        accelerometer, velocity = state.acceleration + GRAVITY * turn[2], to_world(turn, state.velocity)
        ball = quaternion.matrix(state.ball).reshape(9)
        field = _MAGNETIC_FIELD * turn[1]
        return jnp.concatenate([accelerometer, velocity, state.angular, field, state.ball_rate, ball])

    def ego_frame(self, state: CarState, points: jax.Array) -> jax.Array:
        """World `points` `[n, 2]`, on the floor, along x and y of the chassis, which leans a little; `[n, 2]`."""
        turn = quaternion.matrix(state.rotation)[:, :2]
        away = points - state.position
        return away[..., :1] * turn[0] + away[..., 1:] * turn[1] - state.height * turn[2]

    def origin(self, state: CarState) -> jax.Array:
        """The chassis' origin, `[3]` m."""
        return jnp.concatenate([state.position, state.height[None]])

    def frames(self, state: CarState) -> Frames:
        """The frames of chassis, wheels and ball; the wheels' axes do not roll with them."""
        turn = quaternion.matrix(state.rotation)
        chassis, ball = jnp.swapaxes(turn, 0, 1), jnp.swapaxes(product(turn, quaternion.matrix(state.ball)), 0, 1)

        def from_chassis(columns: np.ndarray) -> jax.Array:
            return jnp.stack([product(turn, part) for part in aligned(columns, turn, 2)])

        return Frames(
            origin=jnp.stack([to_local(turn, hub) for hub in aligned(_HUBS, turn, 2)]),
            axes=jnp.stack([chassis, chassis, chassis, ball]),
            linear=from_chassis(self.linear),
            angular=from_chassis(self.angular),
        )

    def velocity(self, state: CarState) -> jax.Array:
        """The velocities of all degrees of freedom, `[11]`."""
        linear = to_world(quaternion.matrix(state.rotation), state.velocity)
        relative = to_local(quaternion.matrix(state.ball), state.ball_rate)
        return jnp.concatenate([linear, state.angular, state.wheels, relative])

    def forces(self, state: CarState, action: jax.Array) -> jax.Array:
        """Gravity, motors and damping, less what rotating frames take: omega x (momentum); `[11]`."""
        velocity = self.velocity(state)
        omega, relative = velocity[3:6], velocity[8:]

        def times(rows: slice, columns: slice, vector: jax.Array) -> jax.Array:
            """A block of the mass matrix times `vector`."""
            return apply(aligned(self.mass[rows, columns], vector, 1), vector)

        fall = times(slice(11), slice(3), -GRAVITY * quaternion.matrix(state.rotation)[2])
        momentum = times(slice(3, 6), slice(3, 11), velocity[3:])
        turning = [cross(omega, times(slice(3), slice(3, 6), omega)), cross(omega, momentum)]
        turning += [jnp.zeros_like(state.wheels), cross(omega, times(slice(8, 11), slice(8, 11), relative))]
        motors = jnp.clip(action, -_FORCE_LIMIT, _FORCE_LIMIT)
        driven = [jnp.zeros_like(velocity[:6]), motors - _DAMPING * velocity[6:8], -_DAMPING * relative]
        return fall + jnp.concatenate(driven) - jnp.concatenate(turning)

    def advance(self, state: CarState, change: jax.Array) -> CarState:
        """An Euler step after the velocities changed by `change` `[11]`."""
        velocity = state.velocity + to_local(quaternion.matrix(state.rotation), change[:3])
        angular = state.angular + change[3:6]
        ball_rate = state.ball_rate + to_world(quaternion.matrix(state.ball), change[8:])
        return state.replace(
            position=state.position + _TIMESTEP * velocity[:2],
            height=state.height + _TIMESTEP * velocity[2],
            rotation=quaternion.advance(state.rotation, angular, _TIMESTEP),
            velocity=velocity,
            angular=angular,
            wheels=state.wheels + change[6:8],
            ball=quaternion.advance(state.ball, ball_rate, _TIMESTEP),
            ball_rate=ball_rate,
        )

    def sense(self, state: CarState, acceleration: jax.Array) -> CarState:
        """Keep what the accelerometer measures."""
        return state.replace(acceleration=acceleration[:3])
