"""Contacts of two boxes, as MuJoCo 2.3.3 makes them: the axis of least overlap, then one face clipped against another.

The axes are those of `separating_axes`. A face is clipped against the opposite face along its normal; for a pair of
edges, the two faces that hold them are clipped along the pair's common normal. Of the candidates of `clipping` at most
SLOTS are real.

Notation: a and g boxes. Further axes of all arrays (environments) come behind those named.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from envs.batching.control_flow import on_accelerator
from envs.physics.clipping import Clip, candidates
from envs.physics.contact import Box, Contacts, compress
from envs.physics.linalg import aligned, to_local, to_world
from envs.physics.separating_axes import Overlap, edge_axes, face_frame, following, least_overlaps, select

SLOTS = 8


class _Pair(NamedTuple):
    """The reference face, of the first box or of the second, and the box that is clipped against it."""

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


def _clip_of(pair: _Pair, run: jax.Array, wide: jax.Array, thin: jax.Array) -> Clip:
    """The reference face's rectangle, and the incident face as a parallelogram in its frame.

    `run`, `wide` and `thin` are the incident box's axes if edges meet. In the code `deep` is the axis across the
    incident face, while `run` and `wide` lie in it.
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
    return Clip(
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
    points = candidates(_clip_of(pair, *edges))
    depth, local = compress(jnp.where(points.valid, points.distance, 1.0), points.position, slots=SLOTS)
    position = reference.position + jax.vmap(lambda point: to_world(frame, point + pair.lift))(local)
    return Contacts(depth, position, jnp.broadcast_to(choose(normal, -normal), position.shape))


def box_box(first: Box, second: Box) -> Contacts:
    """Up to SLOTS contacts between two boxes, normals from the first to the second; unused slots have distance 1.

    Clipping is skipped where no pair of the batch overlaps, unless a vmap turns that condition into a selection or an
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


def box_box_pairs(first: Box, second: Box) -> Contacts:
    """The contacts of each of `first` (leading axis a) with each of `second` (g), `[a g SLOTS]`, `first` slowest.

    They are computed with all pairs of all environments along one axis, which makes for simple loops.
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
