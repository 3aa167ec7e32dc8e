"""The Car robot as data for the engine: chassis, two wheels and a ball caster.

Its eleven degrees of freedom are the chassis' velocity (3) and angular velocity (3), the wheels' rates (left, right)
and the caster's rate against the chassis (3), all in the chassis' frame, in which the mass matrix is constant.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from envs.navigation.robots import car
from envs.navigation.robots.car import CarState
from envs.physics import quaternion
from envs.physics.linalg import aligned, apply, cross, product, to_local, to_world
from envs.physics.robot import Frames, RobotModel, Shape, shapes

_DENSITY = 5.0
_DAMPING = 0.001
_CHASSIS = (
    Shape(0, (0.0, 0.0, 0.0), (0.1, 0.1, 0.05)),
    Shape(0, (0.0, 0.15, 0.0), (0.1, 0.01, 0.05)),  # back bumper
    Shape(0, (0.0, 0.125, 0.0), (0.01, 0.025, 0.03)),
    Shape(0, (0.0, -0.165, 0.0), (0.05, 0.01, 0.05)),  # front bumper
    Shape(0, (0.0, -0.13, 0.04), (0.05, 0.03, 0.01)),
)
_RADIUS = 0.05
_HALF_WIDTH = 0.025
_HUBS = np.array([[0.0, 0.0, 0.0], [-0.1, 0.1, -0.05], [0.1, 0.1, -0.05], [0.0, -0.1, -0.05]])
_WHEEL_OFFSET = 0.03
_WHEELS = (
    Shape(1, (-_WHEEL_OFFSET, 0.0, 0.0), (_RADIUS, _HALF_WIDTH)),
    Shape(2, (_WHEEL_OFFSET, 0.0, 0.0), (_RADIUS, _HALF_WIDTH)),
)


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
    """`[11, 11]`, from the shapes' densities."""
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
    solids.append((Shape(3, (0.0, 0.0, 0.0), (_RADIUS,)), mass, 0.4 * mass * _RADIUS**2 * np.eye(3)))
    total = np.zeros((11, 11))
    for shape, mass, inertia in solids:
        linear = _LINEAR[shape.part] - _skew(np.array(shape.offset)) @ _ANGULAR[shape.part]
        total += mass * linear.T @ linear + _ANGULAR[shape.part].T @ inertia @ _ANGULAR[shape.part]
    return total


def _centers() -> np.ndarray:
    masses = np.array([np.prod(shape.size) for shape in _CHASSIS])
    chassis = masses @ np.array([shape.offset for shape in _CHASSIS]) / np.sum(masses)
    return np.array([chassis, _WHEELS[0].offset, _WHEELS[1].offset, (0.0, 0.0, 0.0)])


_MASS = _mass_matrix()


class Car(RobotModel):
    """How Car moves."""

    def origin(self, state: CarState) -> jax.Array:
        """Of the chassis, `[3]` m."""
        return jnp.concatenate([state.position, state.height[None]])

    def frames(self, state: CarState) -> Frames:
        """Of chassis, wheels and ball; the wheels' axes do not roll with them."""
        turn = quaternion.matrix(state.rotation)
        chassis, ball = jnp.swapaxes(turn, 0, 1), jnp.swapaxes(product(turn, quaternion.matrix(state.ball)), 0, 1)

        def from_chassis(columns: np.ndarray) -> jax.Array:
            return jnp.stack([product(turn, part) for part in aligned(columns, turn, 2)])

        return Frames(
            origin=jnp.stack([to_local(turn, hub) for hub in aligned(_HUBS, turn, 2)]),
            axes=jnp.stack([chassis, chassis, chassis, ball]),
            linear=from_chassis(_LINEAR),
            angular=from_chassis(_ANGULAR),
        )

    def velocity(self, state: CarState) -> jax.Array:
        """All eleven, `[11]`."""
        linear = to_world(quaternion.matrix(state.rotation), state.velocity)
        relative = to_local(quaternion.matrix(state.ball), state.ball_rate)
        return jnp.concatenate([linear, state.angular, state.wheels, relative])

    def forces(self, state: CarState, action: jax.Array) -> jax.Array:
        """Gravity, motors and damping, less what turning frames take: omega x (momentum)."""
        velocity = self.velocity(state)
        omega, relative = velocity[3:6], velocity[8:]

        def times(rows: slice, columns: slice, vector: jax.Array) -> jax.Array:
            """A block of the mass matrix times `vector`."""
            return apply(aligned(_MASS[rows, columns], vector, 1), vector)

        fall = times(slice(11), slice(3), -car.GRAVITY * quaternion.matrix(state.rotation)[2])
        momentum = times(slice(3, 6), slice(3, 11), velocity[3:])
        turning = [cross(omega, times(slice(3), slice(3, 6), omega)), cross(omega, momentum)]
        turning += [jnp.zeros_like(state.wheels), cross(omega, times(slice(8, 11), slice(8, 11), relative))]
        motors = jnp.clip(action, -car.FORCE_LIMIT, car.FORCE_LIMIT)
        driven = [jnp.zeros_like(velocity[:6]), motors - _DAMPING * velocity[6:8], -_DAMPING * relative]
        return fall + jnp.concatenate(driven) - jnp.concatenate(turning)

    def advance(self, state: CarState, change: jax.Array) -> CarState:
        """Euler's step after the velocities changed by `change` `[11]`."""
        velocity = state.velocity + to_local(quaternion.matrix(state.rotation), change[:3])
        angular = state.angular + change[3:6]
        ball_rate = state.ball_rate + to_world(quaternion.matrix(state.ball), change[8:])
        return dataclasses.replace(
            state,
            position=state.position + car.TIMESTEP * velocity[:2],
            height=state.height + car.TIMESTEP * velocity[2],
            rotation=quaternion.advance(state.rotation, angular, car.TIMESTEP),
            velocity=velocity,
            angular=angular,
            wheels=state.wheels + change[6:8],
            ball=quaternion.advance(state.ball, ball_rate, car.TIMESTEP),
            ball_rate=ball_rate,
        )

    def sense(self, state: CarState, acceleration: jax.Array) -> CarState:
        """Keep what the accelerometer measures."""
        return dataclasses.replace(state, acceleration=acceleration[:3])


def model() -> RobotModel:
    """The Car robot."""
    return Car(
        mass=_MASS,
        damping=np.array([0.0] * 6 + [_DAMPING] * 5),
        linear=_LINEAR,
        angular=_ANGULAR,
        centers=_centers(),
        spheres=shapes(Shape(3, (0.0, 0.0, 0.0), (_RADIUS,))),
        boxes=shapes(*_CHASSIS),
        wheels=shapes(*_WHEELS),
        timestep=car.TIMESTEP,
        outline=((0.0, 0.11, 0.17), (0.0, -0.05, 0.12), (0.0, -0.15, 0.06)),
        spin=5,
        iterations=8,
    )
