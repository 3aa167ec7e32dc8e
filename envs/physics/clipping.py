"""A parallelogram clipped against a rectangle, as MuJoCo 2.3.3 does it for the faces of two boxes that meet.

The candidates for contact points are of three kinds: 16 crossings of edges, the 4 corners of the rectangle and the 4
corners of the parallelogram. A pair of faces and a pair of edges share every computation; `Clip.by_edge` tells them
apart.

Notation: m candidates. Further axes of all arrays (environments) come behind those named.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from envs.batching.control_flow import on_accelerator
from envs.physics.linalg import aligned

_CROSSINGS = 16


class Clip(NamedTuple):
    """A rectangle around the origin, z outward, and a parallelogram to be clipped against it along `normal`."""

    by_edge: jax.Array  # bool [], an edge pair or a face
    half: jax.Array  # [2] m, of the rectangle
    corners: jax.Array  # [4, 3] of the parallelogram; the second and third are next to the first
    usable: jax.Array  # bool [2], whether its sides lie flat enough to count
    normal: jax.Array  # [3]


class Candidates(NamedTuple):
    """Points where the two faces may touch."""

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

    `start` and `run` are `[4, 2]`; the sides are at `half` `[2]` along each axis, in both directions.
    """
    side = jnp.stack([-half, half], axis=1)
    level = jnp.abs(run) < 1e-15
    parameter = (side - start[:, :, None]) / jnp.where(level, 1.0, run)[:, :, None]
    other = start[:, ::-1, None] + run[:, ::-1, None] * parameter
    inside = (parameter >= 0) & (parameter <= 1) & (jnp.abs(other) <= half[::-1, None])
    return parameter, inside & ~level[:, :, None]


def _crossed(clip: Clip, flat: jax.Array, upward: jax.Array) -> Candidates:
    """Where the sides of the parallelogram, projected to `flat` `[3, 2]` (corner and runs), cross the rectangle's."""
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
    return Candidates(*flattened, (valid & usable & (depth <= 0)).reshape(_CROSSINGS, *batch))


def _share(clip: Clip) -> jax.Array:
    """2.3.3 halves the height before it uses it as the distance, so that face contacts alone press half as deep."""
    return jnp.where(clip.by_edge, 1.0, 0.5).astype(clip.half.dtype)


def _signed_gap(clip: Clip, square: jax.Array, height: jax.Array) -> jax.Array:
    """The distance of a corner whose squared distance is `square` and whose height over the rectangle is `height`."""
    return jnp.where(clip.by_edge, jnp.sqrt(square) * jnp.where(height < 0, -1.0, 1.0), 0.5 * height)


def _below_corners(clip: Clip, flat: jax.Array, loose: jax.Array) -> Candidates:
    """Points midway between the rectangle's corners and the parallelogram below them.

    2.3.3 keeps the determinant of the map from plane to parallelogram in the variable that later holds a corner's
    squared distance, so that each corner of an edge pair is mapped with what the previous corner left there.
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
    return Candidates(*lax.scan(at_corner, scale, signs, unroll=on_accelerator())[1])


def _own_corners(clip: Clip, upward: jax.Array, none_crossed: jax.Array, none_spanned: jax.Array) -> Candidates:
    """Points midway between the parallelogram's corners and the rectangle."""
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
    return Candidates(middle, _signed_gap(clip, square, height), kept & ((height <= 0) | (square <= 0)))


def candidates(clip: Clip) -> Candidates:
    """All 24 candidates, positions in the frame of the rectangle."""
    upward = jnp.where(jnp.abs(clip.normal[2]) < 1e-12, 1e-12, clip.normal[2])
    corner, one, two = clip.corners[:3]
    flat = _project(jnp.stack([corner, one - corner, two - corner]), clip.normal, upward)
    crossed = _crossed(clip, flat, upward)
    none_crossed = ~jnp.any(crossed.valid, axis=0)
    below = _below_corners(clip, flat, none_crossed)
    own = _own_corners(clip, upward, none_crossed, none_crossed & ~jnp.any(below.valid, axis=0))
    return Candidates(*(jnp.concatenate(parts) for parts in zip(crossed, below, own, strict=True)))
