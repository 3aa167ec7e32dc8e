"""Movable bodies: gremlins on their welds, vases and the push box on the floor.

Notation: m bodies, g boxes per body. Velocities are linear in the world frame and angular in the body's own frame, as
in MuJoCo. Functions of one body take arrays with further axes (environments) behind those named.
"""

from dataclasses import dataclass, replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from envs.physics import quaternion
from envs.physics.contact import Box, impedance, reference_gains
from envs.physics.linalg import aligned, cross, dot, to_world

GRAVITY = 9.81
_WELD_STIFFNESS, _WELD_DAMPING = reference_gains(damping_ratio=1.5)
WELD_HEIGHT = 0.1  # m, how far the target is lifted above the body's place
_LIGHT = 0.001  # kg/m^3


@dataclass(frozen=True)
class BodyKind:
    """What all movable bodies of a scene have in common; their boxes are upright in the body's frame."""

    mass: float  # kg
    inertia: tuple[float, float, float]  # kg m^2 about the body's axes
    offsets: tuple[tuple[float, float, float], ...]  # g centers of boxes, m
    halves: tuple[tuple[float, float, float], ...]  # g half extents, m
    travel: float | None = None  # m, radius of the circle that a weld carries it around; None: it has no weld

    @property
    def welded(self) -> bool:
        """Whether a weld holds the body."""
        return self.travel is not None

    @property
    def inverse_weight(self) -> float:
        """Mean inverse mass (1/kg), which scales the softness of contacts."""
        return 1 / self.mass

    @property
    def extent(self) -> tuple[float, float, float]:
        """Half extents (m) of the box that contains the body."""
        x, y, z = np.max(np.abs(np.array(self.offsets)) + np.array(self.halves), axis=0)
        return float(x), float(y), float(z)

    @property
    def rest_height(self) -> float:
        """Height (m) of the center at rest on the floor, sunk in until the soft contacts carry the weight."""
        return self.halves[0][2] - _sunk(40 * len(self.halves), jnp.zeros(()).dtype)


@cache
def _sunk(edges: int, dtype: jnp.dtype) -> float:
    """How deep (m) a body sinks in that stands on contacts of so many `edges`, whatever its weight.

    Kept, since these rounds outside a compiled program take tenths of a second, in each of a training's four resets.
    """
    stiffness, _ = reference_gains()
    depth, before = 0.0, -1.0
    for _ in range(50):
        if depth == before:
            break
        share = float(impedance(jnp.asarray(depth, dtype)))
        before, depth = depth, GRAVITY * 4 * (1 - share) / (edges * share * stiffness * share)
    return depth


def _box_inertia(mass: float, half: tuple[float, float, float], offset: tuple[float, float, float]) -> np.ndarray:
    own = np.array([half[1] ** 2 + half[2] ** 2, half[0] ** 2 + half[2] ** 2, half[0] ** 2 + half[1] ** 2]) / 3
    shift = np.square(offset)
    return mass * (own + np.sum(shift) - shift)


def _solid(
    density: float, offsets: tuple[tuple[float, float, float], ...], halves: tuple[tuple[float, float, float], ...]
) -> BodyKind:
    masses = [8 * density * float(np.prod(half)) for half in halves]
    x, y, z = np.sum([_box_inertia(*parts) for parts in zip(masses, halves, offsets, strict=True)], axis=0)
    return BodyKind(sum(masses), (float(x), float(y), float(z)), offsets, halves)


def cube(half: float, travel: float | None = None) -> BodyKind:
    """A light cube of half side `half` (m), on the floor or carried by a weld around a circle of `travel` (m)."""
    return replace(_solid(_LIGHT, ((0.0, 0.0, 0.0),), ((half, half, half),)), travel=travel)


def push_box(half: float, density: float) -> BodyKind:
    """A cube of half side `half` (m) and `density` (kg/m^3) with a post at each corner."""
    post = (half / 2, half / 2, half)
    corners = tuple((x * half, y * half, 0.0) for x, y in ((1, 1), (-1, 1), (1, -1), (-1, -1)))
    return _solid(density, ((0.0, 0.0, 0.0), *corners), ((half, half, half), *([post] * 4)))


class Bodies(struct.PyTreeNode):
    """Pose and motion of m bodies, or of one body where the leading axis is missing."""

    position: jax.Array  # [m, 3] m
    rotation: jax.Array  # [m, 4] unit quaternions
    velocity: jax.Array  # [m, 3] m/s, world frame
    angular: jax.Array  # [m, 3] rad/s, own frame
    home: jax.Array  # [m, 3] m, where a weld's target is without its circular motion
    home_rotation: jax.Array  # [m, 4] the target's unit quaternions


def at_rest(kind: BodyKind, places: jax.Array, yaws: jax.Array) -> Bodies:
    """Bodies standing at `places` `[m, 2]`, rotated by `yaws` `[m]` (rad)."""
    height = kind.halves[0][2] if kind.welded else kind.rest_height
    position = jnp.concatenate([places, jnp.full_like(places[:, :1], height)], axis=1)
    rotation = quaternion.from_yaw(yaws)
    zero = jnp.zeros_like(position)
    return Bodies(position, rotation, zero, zero, position, rotation)


def boxes(kind: BodyKind, body: Bodies, origin: jax.Array) -> Box:
    """The g boxes of one body, positions relative to `origin` `[3]`."""
    axes = jnp.swapaxes(quaternion.matrix(body.rotation), 0, 1)
    offsets = aligned(kind.offsets, body.position, 1)
    centers = jax.vmap(lambda offset: body.position - origin + to_world(axes, offset))(offsets)
    return Box(centers, jnp.broadcast_to(axes, (len(kind.halves), *axes.shape)), aligned(kind.halves, body.position, 1))


def weld_target(travel: float, body: Bodies, time: jax.Array) -> jax.Array:
    """Where the weld of one body, on a circle of radius `travel` (m), pulls its center at `time` `[]` (s), `[3]` m."""
    lift = jnp.full_like(time, WELD_HEIGHT)
    return body.home + jnp.stack([travel * jnp.sin(time), travel * jnp.cos(time), lift])


def quadratic(kind: BodyKind, body: Bodies, time: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mass matrix `[6, 6]` and force `[6]` of one body without contacts: gravity, gyroscopic torque and weld."""
    like = body.angular
    inertia = aligned(kind.inertia, like, 1)
    weight = jnp.broadcast_to(aligned([0.0, 0.0, -GRAVITY * kind.mass], like, 1), like.shape)
    force = jnp.concatenate([weight, -cross(body.angular, inertia * body.angular)])
    unit = aligned(np.eye(3), like, 1)
    linear, turning = kind.mass * unit, inertia[:, None] * unit
    if kind.welded:
        stiffness, pull, turn, error = _weld(kind, body, time)
        linear = linear + stiffness * unit
        turning = turning + 0.25 * stiffness * (unit - error[:, None] * error)
        force = force + stiffness * jnp.concatenate([pull, turn])
    linear, turning = (jnp.broadcast_to(block, (3, 3, *like.shape[1:])) for block in (linear, turning))
    none = jnp.zeros_like(linear)
    rows = [jnp.concatenate([linear, none], axis=1), jnp.concatenate([none, turning], axis=1)]
    return jnp.concatenate(rows), force


def _weld(kind: BodyKind, body: Bodies, time: jax.Array) -> tuple[jax.Array, ...]:
    """Stiffness D `[]`, J'aref of position and of orientation `[3]` each, and the orientation error `[3]`.

    MuJoCo 2.3.3 scales all six rows by the inverse mass. A row's Jacobian is -1 for the position and -(w - e x) / 2 for
    the orientation, where (w, e) is the quaternion from the body to the target.
    """
    assert kind.travel is not None
    gap = weld_target(kind.travel, body, time) - body.position
    turn = quaternion.multiply(quaternion.conjugate(body.rotation), body.home_rotation)
    error = turn[1:]
    share = impedance(jnp.sqrt(dot(gap, gap) + dot(error, error)))
    spring = _WELD_STIFFNESS * share
    across = body.angular - error * dot(error, body.angular)
    pull = spring * gap - _WELD_DAMPING * body.velocity
    return share / (1 - share) * kind.mass, pull, 0.5 * spring * turn[0] * error - 0.25 * _WELD_DAMPING * across, error


def free_acceleration(kind: BodyKind, body: Bodies, time: jax.Array) -> jax.Array:
    """Acceleration `[6]` of one welded body that touches nothing, in closed form: its inertia is a multiple of 1."""
    stiffness, pull, turn, error = _weld(kind, body, time)
    weight = aligned([0.0, 0.0, -GRAVITY * kind.mass], pull, 1)
    linear = (weight + stiffness * pull) / (kind.mass + stiffness)
    bent = 0.25 * stiffness
    diagonal = kind.inertia[0] + bent
    torque = stiffness * turn
    along = bent * dot(error, torque) / (diagonal - bent * dot(error, error))
    return jnp.concatenate([linear, (torque + error * along) / diagonal])


def advance(body: Bodies, acceleration: jax.Array, timestep: float) -> Bodies:
    """One Euler step of one body under `acceleration` `[6]`."""
    velocity = body.velocity + timestep * acceleration[:3]
    angular = body.angular + timestep * acceleration[3:]
    return body.replace(
        position=body.position + timestep * velocity,
        rotation=quaternion.advance(body.rotation, angular, timestep),
        velocity=velocity,
        angular=angular,
    )
