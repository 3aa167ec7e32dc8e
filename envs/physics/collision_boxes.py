"""Contacts of two boxes, as MuJoCo 2.3.3 makes them: the axis of least overlap, then one face clipped on another.

The axes are those of `envs.physics.box_axes`. A face is clipped against the opposite face along its normal; an edge
pair clips the two faces that hold the edges along the pair's common normal. Both yield candidates of three sorts (16
crossings of edges, 4 corners of each face), of which at most SLOTS are real. The two cases share every computation,
as a `_Clip` that is put together for one or the other.

Further axes of all arrays (environments) come behind those named.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from envs.batching.control_flow import on_accelerator
from envs.physics.contact import Box, Contacts, compress
from envs.physics.linalg import aligned, to_local, to_world
from envs.physics.separating_axes import Overlap, edge_axes, face_frame, following, least_overlaps, select

SLOTS = 8
_CROSSINGS = 16


class _Pair(NamedTuple):
    """The reference face, of the first box or of the second, and the box that is clipped on it."""

    by_edge: jax.Array  # bool [], an edge pair or a face
    frame: jax.Array  # [3, 3], its last row is the face's outward normal
    half: jax.Array  # [3] m, along the frame
    normal: jax.Array  # [3] of the contacts
    incident: Box
    away: jax.Array  # [3] m, from the reference box to the incident one

    @property
    def lift(self) -> jax.Array:
        """From the reference box's center to its face, in the frame, `[3]` m."""
        return self.half[2] * aligned([0.0, 0.0, 1.0], self.half, 1)


class _Clip(NamedTuple):
    """A rectangle about the origin, z outward, and a parallelogram to be clipped on it along `normal`."""

    by_edge: jax.Array  # bool [], an edge pair or a face
    half: jax.Array  # [2] m, of the rectangle
    corners: jax.Array  # [4, 3] of the parallelogram, the second and third beside the first
    usable: jax.Array  # bool [2], whether its sides lie flat enough to count
    normal: jax.Array  # [3]


class _Points(NamedTuple):
    """Candidates: m of them."""

    position: jax.Array  # [m, 3] m
    distance: jax.Array  # [m] m, negative inside
    valid: jax.Array  # bool [m]


def _project(vectors: jax.Array, normal: jax.Array, upward: jax.Array) -> jax.Array:
    """`vectors` `[m, 3]` moved along `normal` `[3]`, whose height is `upward` `[]`, to height 0: `[m, 2]`."""
    return vectors[:, :2] - (vectors[:, 2] / upward)[:, None] * normal[:2]


def _sides(corner: jax.Array, one: jax.Array, two: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The four sides of a parallelogram: their starts and runs, both `[4, d]`."""
    return jnp.stack([corner, corner, corner + one, corner + two]), jnp.stack([one, two, two, one])


def _crossings(start: jax.Array, run: jax.Array, half: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Where four segments cross the four sides of a rectangle: parameter along the segment and validity, `[4, 2, 2]`.

    `start`, `run` `[4, 2]`; the sides are at `half` `[2]` along each axis, in both directions.
    """
    side = jnp.stack([-half, half], axis=1)
    level = jnp.abs(run) < 1e-15
    parameter = (side - start[:, :, None]) / jnp.where(level, 1.0, run)[:, :, None]
    other = start[:, ::-1, None] + run[:, ::-1, None] * parameter
    inside = (parameter >= 0) & (parameter <= 1) & (jnp.abs(other) <= half[::-1, None])
    return parameter, inside & ~level[:, :, None]


def _crossed(clip: _Clip, flat: jax.Array, upward: jax.Array) -> _Points:
    """Where sides of the parallelogram, projected to `flat` `[3, 2]` (corner and runs), cross the rectangle's."""
    raw = clip.corners[0], clip.corners[1] - clip.corners[0], clip.corners[2] - clip.corners[0]
    (starts, runs), (raw_starts, raw_runs) = _sides(*flat), _sides(*raw)
    parameter, valid = _crossings(starts, runs, clip.half)
    hit = starts[:, None, None] + runs[:, None, None] * parameter[:, :, :, None]
    point = raw_starts[:, None, None] + raw_runs[:, None, None] * parameter[:, :, :, None]
    depth = point[:, :, :, 2] / upward * _share(clip)
    one, two = clip.usable
    usable = jnp.stack([one, two, one & two, one & two])[:, None, None]
    middle = jnp.concatenate([point[:, :, :, :2] + hit, point[:, :, :, 2:]], axis=3) / 2
    batch = depth.shape[3:]
    flattened = middle.reshape(_CROSSINGS, 3, *batch), depth.reshape(_CROSSINGS, *batch)
    return _Points(*flattened, (valid & usable & (depth <= 0)).reshape(_CROSSINGS, *batch))


def _share(clip: _Clip) -> jax.Array:
    """2.3.3 halves the height before it takes it for the distance: only face contacts press half as deep."""
    return jnp.where(clip.by_edge, 1.0, 0.5).astype(clip.half.dtype)


def _signed_gap(clip: _Clip, square: jax.Array, height: jax.Array) -> jax.Array:
    return jnp.where(clip.by_edge, jnp.sqrt(square) * jnp.where(height < 0, -1.0, 1.0), 0.5 * height)


def _below_corners(clip: _Clip, flat: jax.Array, loose: jax.Array) -> _Points:
    """Midway between the rectangle's corners and the parallelogram under them.

    2.3.3 keeps the determinant of the map from plane to parallelogram in the variable that later holds a corner's
    squared distance, so that each corner of an edge pair is mapped with what the one before it left there.
    """
    start, one, two = flat
    raw, raw_one, raw_two = clip.corners[0], clip.corners[1] - clip.corners[0], clip.corners[2] - clip.corners[0]
    signs = jnp.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]], start.dtype)

    def at_corner(scale: jax.Array, sign: jax.Array) -> tuple[jax.Array, tuple[jax.Array, ...]]:
        corner = aligned(sign, start, 1) * clip.half
        x, y = corner - start
        inverse = 1 / jnp.where(scale == 0, 1e-30, scale)
        u, v = (x * two[1] - y * two[0]) * inverse, (y * one[0] - x * one[1]) * inverse
        out_u, out_v = (u < 0) | (u > 1), (v < 0) | (v > 1)
        spanned = ~(out_u | out_v) & (u != 0) & (u != 1) & (v != 0) & (v != 1) & clip.usable[0] & clip.usable[1]
        reached = jnp.where(loose, ~(out_u & out_v), ~(out_u | out_v))
        reached = jnp.where(clip.by_edge, reached, spanned)
        point = raw + jnp.clip(u, 0, 1) * raw_one + jnp.clip(v, 0, 1) * raw_two
        apart = corner - point[:2]
        square = jnp.square(apart[0]) + jnp.square(apart[1]) + jnp.square(point[2])
        valid = reached & ((point[2] <= 0) | (square <= 0))
        middle = jnp.concatenate([corner + point[:2], point[2:]]) / 2
        left = jnp.where(clip.by_edge & reached, square, scale)
        return left, (middle, _signed_gap(clip, square, point[2]), valid)

    scale = one[0] * two[1] - two[0] * one[1]
    return _Points(*lax.scan(at_corner, scale, signs, unroll=on_accelerator())[1])


def _own_corners(clip: _Clip, upward: jax.Array, none_crossed: jax.Array, none_spanned: jax.Array) -> _Points:
    """Midway between the parallelogram's corners and the rectangle."""
    corners = clip.corners
    flat = _project(corners, clip.normal, upward)
    outside = jnp.abs(flat) > clip.half
    one, two = clip.usable
    kept = jnp.where(none_crossed, none_spanned | ~jnp.all(outside, axis=1), ~jnp.any(outside, axis=1))
    within = jnp.all(jnp.abs(flat) < clip.half, axis=1) & jnp.stack([one, one, two, one & two])
    kept = jnp.where(clip.by_edge, kept, within.at[0].set(True))
    clamped = jnp.where(clip.by_edge, jnp.clip(flat, -clip.half, clip.half), flat)
    apart, height = flat - clamped, corners[:, 2]
    square = jnp.square(apart[:, 0]) + jnp.square(apart[:, 1]) + jnp.square(height / upward)
    middle = jnp.concatenate([corners[:, :2] + clamped, corners[:, 2:]], axis=1) / 2
    return _Points(middle, _signed_gap(clip, square, height), kept & ((height <= 0) | (square <= 0)))


def _clip_points(clip: _Clip) -> _Points:
    """All candidates: 16 crossings and 4 corners of each face, positions in the frame of the rectangle."""
    upward = jnp.where(jnp.abs(clip.normal[2]) < 1e-12, 1e-12, clip.normal[2])
    corner, one, two = clip.corners[:3]
    flat = _project(jnp.stack([corner, one - corner, two - corner]), clip.normal, upward)
    crossed = _crossed(clip, flat, upward)
    none_crossed = ~jnp.any(crossed.valid, axis=0)
    below = _below_corners(clip, flat, none_crossed)
    own = _own_corners(clip, upward, none_crossed, none_crossed & ~jnp.any(below.valid, axis=0))
    return _Points(*(jnp.concatenate(parts) for parts in zip(crossed, below, own, strict=True)))


def _clip_of(pair: _Pair, run: jax.Array, wide: jax.Array, thin: jax.Array) -> _Clip:
    """The reference face's rectangle, and the incident face as a parallelogram in its frame.

    `run`, `wide` and `thin` are the incident box's axes if edges meet. Of the incident face `deep` is the axis across
    it, `run` and `wide` lie in it.
    """
    by_edge, frame, incident = pair.by_edge, pair.frame, pair.incident
    tilt = to_local(incident.axes, frame[2])
    steep = jnp.argmax(jnp.abs(tilt), axis=0)
    run, deep = jnp.where(by_edge, run, following(steep)), jnp.where(by_edge, thin, steep)
    wide = jnp.where(by_edge, wide, following(following(steep)))
    signed = jnp.where(to_local(incident.axes, pair.normal) < 0, incident.half, -incident.half)[:, None] * incident.axes
    one = jnp.where(by_edge, select(incident.axes, run) * select(incident.half, run), select(signed, run))
    two = select(signed, wide)
    corner = to_local(frame, pair.away + one + two + select(signed, deep)) - pair.lift
    one, two = -2 * to_local(frame, one), -2 * to_local(frame, two)
    return _Clip(
        by_edge=by_edge,
        half=pair.half[:2],
        corners=jnp.stack([corner, corner + one, corner + two, corner + one + two]),
        usable=by_edge | (jnp.stack([jnp.abs(select(tilt, axis)) for axis in (run, wide)]) < 0.5),
        normal=jnp.where(by_edge, to_local(frame, pair.normal), aligned([0.0, 0.0, 1.0], pair.half, 1)),
    )


def _meeting(first: Box, second: Box, overlap: Overlap) -> Contacts:
    """The contacts of two boxes that overlap."""
    offset = second.position - first.position
    by_edge = overlap.by_edge < overlap.by_face * (1 - (1e-12 if offset.dtype == jnp.float64 else 1e-5))
    swap = ~by_edge & (overlap.face % 2 == 1)

    def choose(one: jax.Array, two: jax.Array) -> jax.Array:
        return jnp.where(swap, two, one)

    reference, incident = jax.tree.map(choose, first, second), jax.tree.map(choose, second, first)
    away = choose(offset, -offset)
    edge_face, *edges = edge_axes(first, second, overlap.edge)
    face = jnp.where(by_edge, edge_face, overlap.face // 2)
    frame, half = face_frame(reference, face, jnp.where(by_edge, overlap.normal, away))
    normal = jnp.where(by_edge, overlap.normal, frame[2])
    pair = _Pair(by_edge, frame, half, normal, incident, away)
    points = _clip_points(_clip_of(pair, *edges))
    depth, local = compress(jnp.where(points.valid, points.distance, 1.0), points.position, slots=SLOTS)
    position = reference.position + jax.vmap(lambda point: to_world(frame, point + pair.lift))(local)
    return Contacts(depth, position, jnp.broadcast_to(choose(normal, -normal), position.shape))


def box_box(first: Box, second: Box) -> Contacts:
    """Up to SLOTS contacts between two boxes, normals from the first to the second; unused slots have distance 1.

    Clipping is left out where no pair of the batch overlaps, unless a vmap makes a selection of that condition or an
    accelerator would have to wait for it.
    """
    overlap = least_overlaps(first, second, second.position - first.position)
    together = (overlap.by_face >= 0) & (overlap.by_edge >= 0)
    none = jnp.zeros((SLOTS, *first.position.shape), first.position.dtype)
    apart = Contacts(jnp.ones_like(none[:, 0]), none, none)
    if on_accelerator():
        contacts = _meeting(first, second, overlap)
    else:
        contacts = lax.cond(jnp.any(together), _meeting, lambda *_: apart, first, second, overlap)
    return contacts._replace(distance=jnp.where(together, contacts.distance, 1.0))


def all_box_box(first: Box, second: Box) -> Contacts:
    """The contacts of each of `first` (leading axis a) with each of `second` (g), `[a g SLOTS]`, `first` slowest.

    All pairs of all environments lie along one axis for it, which makes for simple loops.
    """
    ranks = (1, 2, 1)  # of position, axes and half extents
    count = first.position.shape[0], second.position.shape[0]
    batch = jnp.broadcast_shapes(first.position.shape[2:], second.position.shape[2:])

    def in_line(box: Box, axis: int) -> Box:
        def pairs(leaf: jax.Array, rank: int) -> jax.Array:
            turned = jnp.expand_dims(jnp.moveaxis(leaf, 0, rank), rank + axis)
            return jnp.broadcast_to(turned, (*leaf.shape[1 : rank + 1], *count, *batch)).reshape(
                *turned.shape[:rank], -1
            )

        return Box(*map(pairs, box, ranks))

    contacts = box_box(in_line(first, 1), in_line(second, 0))

    def listed(leaf: jax.Array) -> jax.Array:
        apart = leaf.reshape(*leaf.shape[:-1], *count, *batch)
        apart = jnp.moveaxis(apart, (leaf.ndim - 1, leaf.ndim), (0, 1))
        return apart.reshape(-1, *apart.shape[3:])

    return Contacts(*map(listed, contacts))
