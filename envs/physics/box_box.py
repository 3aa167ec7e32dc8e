"""Contacts of two boxes, as MuJoCo 2.3.3 makes them: the axis of least overlap, then the clipped face on the other.

The 15 axes are the faces of both boxes and the cross products of their edges. A face is clipped against the opposite
face along its normal; an edge pair clips the two faces that hold the edges along the pair's common normal. Both yield
candidates of three sorts (16 crossings of edges, 4 corners of each face), of which at most SLOTS are real.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from envs.physics.contact import Box, Contacts, compress, frame_from_normal
from envs.physics.rotation import cross

SLOTS = 8
_APART = 1e9


class _Overlap(NamedTuple):
    """The axis of least overlap among some."""

    depth: jax.Array  # []
    which: jax.Array  # int []


class _Points(NamedTuple):
    """Candidates in the frame of a face: m of them."""

    position: jax.Array  # [m, 3] m
    distance: jax.Array  # [m] m, negative inside
    valid: jax.Array  # bool [m]


def _least(overlaps: jax.Array) -> _Overlap:
    index = jnp.argmin(overlaps)
    return _Overlap(depth=jnp.min(overlaps), which=index)


def _select(rows: jax.Array, index: jax.Array) -> jax.Array:
    """`rows[index]` of `[n, ...]` by a masked sum, which vectorises where a gather does not."""
    mask = (jnp.arange(rows.shape[0]) == index).astype(rows.dtype)
    return jnp.sum(rows * mask.reshape((-1,) + (1,) * (rows.ndim - 1)), axis=0)


def _face_overlaps(first: Box, second: Box, offset: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Overlap along the faces of `first` `[3]` and of `second` `[3]`; `offset` `[3]` leads from first to second."""
    turn = jnp.abs(first.axes @ second.axes.T)
    along_first = first.half + turn @ second.half - jnp.abs(first.axes @ offset)
    along_second = second.half + first.half @ turn - jnp.abs(second.axes @ offset)
    return along_first, along_second


def _edge_overlaps(first: Box, second: Box, offset: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Overlap `[9]` along the common normals of edges, and these normals `[9, 3]`, from first to second."""
    normals = cross(first.axes[:, None], second.axes[None, :]).reshape(9, 3)
    length = jnp.sqrt(jnp.sum(jnp.square(normals), axis=-1))
    parallel = length < jnp.finfo(length.dtype).eps * 10
    normals = normals / jnp.where(parallel, 1.0, length)[:, None]
    away = normals @ offset
    extent = jnp.abs(normals @ first.axes.T) @ first.half + jnp.abs(normals @ second.axes.T) @ second.half
    oriented = jnp.where(away < 0, -1.0, 1.0)[:, None] * normals
    return jnp.where(parallel, _APART, extent - jnp.abs(away)), oriented


def _crossings(start: jax.Array, edges: jax.Array, half: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Where four segments cross the four sides of a rectangle: parameter along the segment and validity, `[4, 2, 2]`.

    `start`, `edges` `[4, >=2]`; the sides are at `half` `[2]` along each axis, in both directions.
    """
    origin, run = start[:, :2, None], edges[:, :2, None]
    side = jnp.stack([-half, half], axis=-1)[None]
    level = jnp.abs(run) < 1e-15
    parameter = (side - origin) / jnp.where(level, 1.0, run)
    other = start[:, 1::-1, None] + edges[:, 1::-1, None] * parameter
    inside = (parameter >= 0) & (parameter <= 1) & (jnp.abs(other) <= half[::-1][None, :, None])
    return parameter, inside & ~level


def _sides(corner: jax.Array, one: jax.Array, two: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The four sides of a parallelogram: their starts and runs, both `[4, d]`."""
    return jnp.stack([corner, corner, corner + one, corner + two]), jnp.stack([one, two, two, one])


def _solve_plane(corner: jax.Array, one: jax.Array, two: jax.Array, points: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Coordinates (u, v) of `points` `[m, 2]` in the parallelogram `corner + u one + v two`."""
    determinant = one[0] * two[1] - two[0] * one[1]
    inverse = 1 / jnp.where(determinant == 0, 1e-30, determinant)
    x, y = points[:, 0] - corner[0], points[:, 1] - corner[1]
    return (x * two[1] - y * two[0]) * inverse, (y * one[0] - x * one[1]) * inverse


def _rectangle(half: jax.Array) -> jax.Array:
    signs = jnp.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]], half.dtype)
    return signs * half


def _other_axes(index: jax.Array) -> tuple[jax.Array, jax.Array]:
    return (index + 1) % 3, (index + 2) % 3


def _face_frame(box: Box, index: jax.Array, sign: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The frame `[3, 3]` (rows; the last is the outward normal) of a face and the half extents `[3]` along its rows."""
    one, two = _select(jnp.array([2, 0, 0]), index), _select(jnp.array([1, 2, 1]), index)
    turn_one, turn_two = (
        jnp.where(index == 1, 1.0, jnp.where(index == 0, -sign, sign)),
        jnp.where(index == 1, -sign, 1.0),
    )
    rows = [turn_one * _select(box.axes, one), turn_two * _select(box.axes, two), sign * _select(box.axes, index)]
    return jnp.stack(rows), jnp.stack([_select(box.half, one), _select(box.half, two), _select(box.half, index)])


def _face_points(frame: jax.Array, half: jax.Array, other: Box, centre: jax.Array) -> _Points:
    """Candidates between a face and the face of `other` turned to it; `centre` `[3]` from the face's centre."""
    axes = other.axes @ frame.T
    towards = jnp.where(axes[:, 2] < 0, 1.0, -1.0)
    lowest = centre + (towards * other.half) @ axes
    steep = jnp.argmax(jnp.abs(axes[:, 2]))
    runs = -2 * (towards * other.half)[:, None] * axes
    one, two = (_select(runs, axis) for axis in _other_axes(steep))
    flat_one, flat_two = (jnp.abs(_select(axes[:, 2], axis)) < 0.5 for axis in _other_axes(steep))
    starts, edges = _sides(lowest, one, two)
    parameter, valid = _crossings(starts, edges, half[:2])
    both = flat_one & flat_two
    usable = jnp.stack([flat_one, flat_two, both, both])
    crossing = starts[:, None, None] + edges[:, None, None] * parameter[..., None]
    corners = _rectangle(half[:2])
    u, v = _solve_plane(lowest, one, two, corners)
    height = lowest[2] + u * one[2] + v * two[2]
    spanned = both & (u > 0) & (v > 0) & (u < 1) & (v < 1)
    ends = jnp.stack([lowest, lowest + one, lowest + two, lowest + one + two])
    inside = jnp.all(jnp.abs(ends[:, :2]) < half[:2], axis=-1) & jnp.stack([flat_one, flat_one, flat_two, both])
    inside = inside.at[0].set(True)
    position = jnp.concatenate([crossing.reshape(16, 3), jnp.column_stack([corners, height]), ends])
    valid = jnp.concatenate([(valid & usable[:, None, None]).reshape(16), spanned, inside])
    # 2.3.3 halves the height before it takes it for the distance: only face contacts press half as deep.
    midway = position.at[:, 2].multiply(0.5)
    return _Points(midway, midway[:, 2], valid & (midway[:, 2] <= 0))


def _signed_gap(square: jax.Array, height: jax.Array) -> jax.Array:
    return jnp.sqrt(square) * jnp.where(height < 0, -1.0, 1.0)


def _below_corners(
    flat: jax.Array, face: jax.Array, corners: jax.Array, loose: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The points `[4, 3]` of a tilted face under the corners `[4, 2]` of another, and which of them count.

    2.3.3 keeps the determinant of this map in the variable that later holds a corner's squared distance, so each corner
    is mapped with what the one before it left there.
    """
    one, two = flat[1] - flat[0], flat[2] - flat[0]
    scale = one[0] * two[1] - two[0] * one[1]
    points, kept = [], []
    for corner in corners:
        x, y = corner - flat[0, :2]
        inverse = 1 / jnp.where(scale == 0, 1e-30, scale)
        u, v = (x * two[1] - y * two[0]) * inverse, (y * one[0] - x * one[1]) * inverse
        out_u, out_v = (u < 0) | (u > 1), (v < 0) | (v > 1)
        reached = jnp.where(loose, ~(out_u & out_v), ~(out_u | out_v))
        u, v = jnp.clip(u, 0, 1), jnp.clip(v, 0, 1)
        point = (1 - u - v) * face[0] + u * face[1] + v * face[2]
        square = jnp.sum(jnp.square(corner - point[:2])) + jnp.square(point[2])
        scale = jnp.where(reached, square, scale)
        points.append(point)
        kept.append(reached & ((point[2] <= 0) | (square <= 0)))
    return jnp.stack(points), jnp.stack(kept)


def _edge_points(half: jax.Array, face: jax.Array, normal: jax.Array) -> _Points:
    """Candidates between a face and another's corners `face` `[4, 3]` along `normal` `[3]`, in the face's frame."""
    upward = jnp.where(jnp.abs(normal[2]) < 1e-12, 1e-12, normal[2])
    flat = face - (face[:, 2] / upward)[:, None] * normal
    starts, edges = _sides(flat[0], flat[1] - flat[0], flat[2] - flat[0])
    raw_starts, raw_edges = _sides(face[0], face[1] - face[0], face[2] - face[0])
    parameter, valid = _crossings(starts, edges, half[:2])
    hit = starts[:, None, None] + edges[:, None, None] * parameter[..., None]
    raw = raw_starts[:, None, None] + raw_edges[:, None, None] * parameter[..., None]
    depth = raw[..., 2] / upward
    crossing = 0.5 * (raw + hit.at[..., 2].set(0.0))
    valid = (valid & (depth <= 0)).reshape(16)
    none_crossed = ~jnp.any(valid)

    corners = _rectangle(half[:2])
    below, spanned = _below_corners(flat, face, corners, none_crossed)
    corners = jnp.column_stack([corners, jnp.zeros(4, corners.dtype)])
    square = jnp.sum(jnp.square(corners - below), axis=-1)
    none_spanned = none_crossed & ~jnp.any(spanned)

    outside = jnp.abs(flat[:, :2]) > half[:2]
    kept = jnp.where(none_crossed, none_spanned | ~jnp.all(outside, axis=-1), ~jnp.any(outside, axis=-1))
    clamped = jnp.clip(flat[:, :2], -half[:2], half[:2])
    gap = jnp.sum(jnp.square(flat[:, :2] - clamped), axis=-1) + jnp.square(face[:, 2] / upward)
    kept = kept & ((face[:, 2] <= 0) | (gap <= 0))
    ends = 0.5 * (face + jnp.column_stack([clamped, jnp.zeros(4, clamped.dtype)]))
    return _Points(
        jnp.concatenate([crossing.reshape(16, 3), 0.5 * (corners + below), ends]),
        jnp.concatenate([depth.reshape(16), _signed_gap(square, below[:, 2]), _signed_gap(gap, face[:, 2])]),
        jnp.concatenate([valid, spanned, kept]),
    )


def _edge_case(
    first: Box, second: Box, offset: jax.Array, index: jax.Array, normal: jax.Array
) -> tuple[jax.Array, ...]:
    """The face frame `[3, 3]`, half extents `[3]` and the other face's corners `[4, 3]` of edge pair `index`."""
    edge_first, edge_second = index // 3, index % 3
    along_first, along_second = _select(first.axes, edge_first), _select(second.axes, edge_second)
    one, two = _other_axes(edge_first)
    across = jnp.abs(first.axes @ along_second)
    face = jnp.where(_select(across, one) < _select(across, two), one, two)
    sign = jnp.where(jnp.sum(normal * _select(first.axes, face)) > 0, 1.0, -1.0)
    frame, half = _face_frame(first, face, sign)
    one, two = _other_axes(edge_second)
    across = jnp.abs(second.axes @ along_first)
    swap = _select(across, one) < _select(across, two)
    wide, thin = jnp.where(swap, two, one), jnp.where(swap, one, two)
    signed = jnp.where(second.axes @ normal < 0, 1.0, -1.0)[:, None] * second.half[:, None] * second.axes
    run = along_second * _select(second.half, edge_second)
    near, depth = _select(signed, wide), _select(signed, thin)
    corners = jnp.stack([near + depth + run, near + depth - run, depth - near + run, depth - near - run])
    return frame, half, (corners + offset) @ frame.T - half[2] * jnp.array([0.0, 0.0, 1.0], half.dtype)


def box_box(first: Box, second: Box) -> Contacts:
    """Up to SLOTS contacts between two boxes, normals from the first to the second; unused slots have distance 1."""
    offset = second.position - first.position
    along_first, along_second = _face_overlaps(first, second, offset)
    edge_overlaps, edge_normals = _edge_overlaps(first, second, offset)
    faces, edges = _least(jnp.stack([along_first, along_second], axis=1).reshape(6)), _least(edge_overlaps)
    separate = (faces.depth < 0) | (edges.depth < 0)
    slack = 1e-12 if offset.dtype == jnp.float64 else 1e-5
    by_edge = edges.depth < faces.depth * (1 - slack)

    by_second = faces.which % 2 == 1
    reference = jax.tree.map(lambda one, two: jnp.where(by_second, two, one), first, second)
    incident = jax.tree.map(lambda one, two: jnp.where(by_second, one, two), first, second)
    away = jnp.where(by_second, -offset, offset)
    axis = faces.which // 2
    sign = jnp.where(jnp.sum(away * _select(reference.axes, axis)) < 0, -1.0, 1.0)
    frame, half = _face_frame(reference, axis, sign)
    lift = half[2] * jnp.array([0.0, 0.0, 1.0], half.dtype)
    flat = _face_points(frame, half, incident, frame @ away - lift)
    normal = jnp.where(by_second, -frame[2], frame[2])

    edge_normal = _select(edge_normals, edges.which)
    edge_frame, edge_half, corners = _edge_case(first, second, offset, edges.which, edge_normal)
    tilted = _edge_points(edge_half, corners, edge_frame @ edge_normal)

    def choose(edge: jax.Array, face: jax.Array) -> jax.Array:
        return jnp.where(by_edge, edge, face)

    points: _Points = jax.tree.map(choose, tilted, flat)
    depth, local = compress(jnp.where(points.valid, points.distance, 1.0), points.position, slots=SLOTS)
    frame, half, normal = choose(edge_frame, frame), choose(edge_half, half), choose(edge_normal, normal)
    origin = choose(first.position, reference.position)
    position = origin + (local + half[2] * jnp.array([0.0, 0.0, 1.0], half.dtype)) @ frame
    distance = jnp.where(separate, 1.0, depth)
    frames = jnp.broadcast_to(frame_from_normal(normal), (SLOTS, 3, 3))
    return Contacts(distance=distance, position=position, frame=frames)
