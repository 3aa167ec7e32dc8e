"""The axis along which two boxes overlap least, and which of their faces or edges meet there.

The 15 candidates are the normals of both boxes' faces and the cross products of their edges, in MuJoCo 2.3.3's order.

Further axes of all arrays (environments) come behind those named.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from envs.physics.contact import Box
from envs.physics.linalg import cross, dot, to_local, to_world

_APART = 1e9


class Overlap(NamedTuple):
    """The least overlaps of two boxes, negative where they are apart."""

    by_face: jax.Array  # [] m
    face: jax.Array  # int [], twice its axis, plus one if it is the second box's
    by_edge: jax.Array  # [] m
    edge: jax.Array  # int [], three times the first box's axis plus the second box's
    normal: jax.Array  # [3] of the pair of edges, from the first box to the second


def select(rows: jax.Array, index: jax.Array) -> jax.Array:
    """`rows[index]` of `[n, ...]` without a gather, which does not vectorize."""
    chosen = rows[0]
    for which in range(1, rows.shape[0]):
        chosen = jnp.where(index == which, rows[which], chosen)
    return chosen


def following(index: jax.Array) -> jax.Array:
    """The axis after 0, 1 or 2, cyclically."""
    return jnp.where(index == 2, 0, index + 1)


def least_overlaps(first: Box, second: Box, offset: jax.Array) -> Overlap:
    """The least overlaps by face and by pair of edges, with the second box at `offset` `[3]` from the first."""
    turn = jax.vmap(lambda axis: to_local(second.axes, axis))(first.axes)
    reach = jnp.abs(turn)
    along_first, along_second = to_local(first.axes, offset), to_local(second.axes, offset)
    of_first = first.half + to_local(reach, second.half) - jnp.abs(along_first)
    of_second = second.half + to_world(reach, first.half) - jnp.abs(along_second)
    faces = jnp.stack([of_first, of_second], axis=1).reshape(6, *offset.shape[1:])
    edges, normals = _edge_overlaps(first, second, offset)
    edge = jnp.argmin(edges, axis=0)
    return Overlap(
        by_face=jnp.min(faces, axis=0),
        face=jnp.argmin(faces, axis=0),
        by_edge=jnp.min(edges, axis=0),
        edge=edge,
        normal=select(normals, edge),
    )


def _edge_overlaps(first: Box, second: Box, offset: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The overlaps `[9]` and unit normals `[9, 3]` of all pairs of edges."""
    normals = jax.vmap(lambda one: jax.vmap(lambda two: cross(one, two))(second.axes))(first.axes)
    normals = normals.reshape(9, *offset.shape)
    length = jnp.sqrt(jax.vmap(dot)(normals, normals))
    parallel = length < jnp.finfo(length.dtype).eps * 10
    normals = normals / jnp.where(parallel, 1.0, length)[:, None]

    def overlap(normal: jax.Array) -> tuple[jax.Array, jax.Array]:
        extent = dot(jnp.abs(to_local(first.axes, normal)), first.half)
        extent = extent + dot(jnp.abs(to_local(second.axes, normal)), second.half)
        away = dot(normal, offset)
        return extent - jnp.abs(away), jnp.where(away < 0, -1.0, 1.0) * normal

    edges, normals = jax.vmap(overlap)(normals)
    return jnp.where(parallel, _APART, edges), normals


def face_frame(box: Box, index: jax.Array, towards: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The frame `[3, 3]` of the face across axis `index` that looks `towards` `[3]`, and half extents `[3]` along it.

    The last row of the frame is the outward normal.
    """
    sign = jnp.where(dot(towards, select(box.axes, index)) < 0, -1.0, 1.0).astype(towards.dtype)
    first, second = index == 0, index == 1
    one, two = jnp.where(first, 2, 0), jnp.where(second, 2, 1)
    turn_one, turn_two = jnp.where(second, 1.0, jnp.where(first, -sign, sign)), jnp.where(second, -sign, 1.0)
    turned = [select(box.axes, one) * turn_one, select(box.axes, two) * turn_two, select(box.axes, index) * sign]
    return jnp.stack(turned), jnp.stack([select(box.half, which) for which in (one, two, index)])


def edge_axes(first: Box, second: Box, edge: jax.Array) -> tuple[jax.Array, ...]:
    """The axis of the face of `first` that holds its edge of pair `edge`; the edge, wide and thin axes of `second`."""
    own, other = edge // 3, edge % 3

    def split(box: Box, index: jax.Array, along: jax.Array) -> tuple[jax.Array, jax.Array]:
        across = jnp.abs(to_local(box.axes, along))
        one = following(index)
        two = following(one)
        less = select(across, one) < select(across, two)
        return jnp.where(less, one, two), jnp.where(less, two, one)

    face, _ = split(first, own, select(second.axes, other))
    thin, wide = split(second, other, select(first.axes, own))
    return face, other, wide, thin
