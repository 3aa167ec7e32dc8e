"""Contacts as rows of the solver's problem: how the degrees of freedom move the two shapes at each contact.

Notation: n degrees of freedom of the robot, k bodies with 6 each, p parts, c contacts. Positions are relative to the
robot's origin. Further axes of all arrays (environments) come behind those named.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from envs.physics.bodies import Bodies
from envs.physics.contact import Contacts, frame_from_normal, impedance, reference_gains
from envs.physics.linalg import add_up, aligned, apply, cross, product
from envs.physics.newton import Problem
from envs.physics.quaternion import matrix
from envs.physics.robot import ROUGH, Frames

_STIFFNESS, _DAMPING = reference_gains()


class Rows(NamedTuple):
    """Contacts with six rows each in all degrees of freedom."""

    distance: jax.Array  # [c]
    jacobian: jax.Array  # [c, 6, n + 6 k]
    softness: jax.Array  # [c] sum of the two inverse weights
    friction: jax.Array  # [c, 5]


def flat(array: jax.Array, axes: int) -> jax.Array:
    """`array` with its first `axes` axes as one."""
    return array.reshape(-1, *array.shape[axes:])


def take(array: jax.Array, index: np.ndarray) -> jax.Array:
    """`array[index]` along the first axis for a constant `index` `[s]`, without a gather."""
    if np.all(index == index[0]):
        return jnp.broadcast_to(array[index[0]], (len(index), *array.shape[1:]))
    return jnp.stack([array[which] for which in index])


def at_parts(frames: Frames, part: np.ndarray) -> Frames:
    """The frames of the parts that `part` `[c]` names."""
    return Frames(*(take(leaf, part) for leaf in frames))


def at_shares(frames: Frames, share: jax.Array) -> Frames:
    """The frames of one part per contact, for which `share` `[c, p]` is 1, while it is 0 for the other parts."""

    def chosen(leaf: jax.Array) -> jax.Array:
        parts = jnp.moveaxis(share, 1, 0)
        parts = parts.reshape(*parts.shape[:2], *(1,) * (leaf.ndim + 1 - parts.ndim), *parts.shape[2:])
        return add_up(parts * leaf[:, None])

    return Frames(*(chosen(leaf) for leaf in frames))


def robot_rows(at: Frames, contacts: Contacts) -> jax.Array:
    """Velocity rows `[c, 6, n]` of the robot's points at `contacts`; `at` has the frame of each one's part."""

    def one(at: Frames, contact: Contacts) -> jax.Array:
        frame, arm = frame_from_normal(contact.normal), contact.position - at.origin
        swung = cross(at.angular, arm[:, None])
        return jnp.concatenate([product(frame, at.linear + swung), product(frame, at.angular)])

    return jax.vmap(one)(at, contacts)


def body_rows(body: Bodies, origin: jax.Array, contacts: Contacts) -> jax.Array:
    """Velocity rows `[c, 6, 6]` of one body's points at `contacts`."""
    turn = matrix(body.rotation)

    def one(contact: Contacts) -> jax.Array:
        frame, arm = frame_from_normal(contact.normal), contact.position - (body.position - origin)
        swung, turning = product(frame, cross(turn, arm[:, None])), product(frame, turn)
        upper = jnp.concatenate([jnp.broadcast_to(frame, swung.shape), swung], axis=1)
        return jnp.concatenate([upper, jnp.concatenate([jnp.zeros_like(turning), turning], axis=1)])

    return jax.vmap(one)(contacts)


def rough(contacts: Contacts, jacobian: jax.Array, softness: np.ndarray | float) -> Rows:
    """The rows of shapes with the usual friction; `softness` is `[]` or `[c]`."""
    count = contacts.distance.shape[0]
    soft = aligned(np.broadcast_to(softness, count), contacts.distance, 1)
    return Rows(contacts.distance, jacobian, soft, aligned(np.tile(ROUGH, (count, 1)), contacts.distance, 1))


def spread(rows: Rows, before: int, after: int) -> Rows:
    """`rows` with `before` other columns in front of theirs and `after` behind them."""
    padding = [(0, 0)] * rows.jacobian.ndim
    padding[2] = (before, after)
    return rows._replace(jacobian=jnp.pad(rows.jacobian, padding))


def in_slots(rows: Rows, slots: int, size: int) -> Rows:
    """The rows of k bodies (leading axis), with the last 6 columns in the body's own slot of k."""

    def one(rows: Rows, own: jax.Array) -> Rows:
        shared, body = rows.jacobian[:, :, :size], rows.jacobian[:, :, size:]
        columns = [shared, *(own[slot] * body for slot in range(slots))]
        return rows._replace(jacobian=jnp.concatenate(columns, axis=2))

    if slots == 1:
        return Rows(*(leaf[0] for leaf in rows))
    joint = jax.vmap(one)(rows, jnp.eye(slots, dtype=rows.distance.dtype))
    return Rows(*(flat(leaf, 2) for leaf in joint))


def joined(groups: list[Rows]) -> Rows:
    """All groups as one."""

    def concatenate(*parts: jax.Array) -> jax.Array:
        batch = jnp.broadcast_shapes(*(rows.distance.shape[1:] for rows in groups))
        full = [jnp.broadcast_to(part, part.shape[: part.ndim - len(batch)] + batch) for part in parts]
        return jnp.concatenate(full)

    return Rows(*(concatenate(*parts) for parts in zip(*groups, strict=True)))


def as_problem(rows: Rows, mass: jax.Array, force: jax.Array, velocity: jax.Array) -> Problem:
    """MuJoCo's problem for the contacts `rows` of a system with `mass` `[n, n]`, `force` `[n]` and `velocity` `[n]`."""
    share = impedance(rows.distance)
    drift = _DAMPING * apply(flat(rows.jacobian, 2), velocity).reshape(*rows.jacobian.shape[:2], *velocity.shape[1:])
    pull = (_STIFFNESS * share * rows.distance)[:, None]
    offset = jnp.concatenate([drift[:, :1] + pull, drift[:, 1:]], axis=1)
    stiffness = jnp.where(rows.distance <= 0, share / ((1 - share) * 4 * rows.softness), 0.0)
    return Problem(mass, force, rows.jacobian, offset, stiffness, rows.friction)
