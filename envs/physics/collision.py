"""Contacts between simple shapes, one pair at a time; pairs of boxes have a module of their own, `collision_boxes`.

Every function returns `Contacts` with a fixed number of slots. Normals lead from the first shape to the second.

Notation: c contacts. Further axes of all arrays (environments) come behind those named.
"""

import jax
import jax.numpy as jnp

from envs.physics.contact import Box, Contacts, compress
from envs.physics.linalg import add_up, aligned, dot, to_local, to_world


def _single(distance: jax.Array, position: jax.Array, normal: jax.Array) -> Contacts:
    return Contacts(distance[None], position[None], normal[None])


def _norm(vector: jax.Array) -> jax.Array:
    return jnp.sqrt(dot(vector, vector))


def _up(like: jax.Array) -> jax.Array:
    return aligned([0.0, 0.0, 1.0], like, 1)


def sphere_sphere(first: jax.Array, first_radius: jax.Array, second: jax.Array, second_radius: jax.Array) -> Contacts:
    """One contact of two spheres around `first` and `second` `[3]`."""
    offset = second - first
    length = _norm(offset)
    normal = offset / jnp.maximum(length, 1e-12)
    distance = length - first_radius - second_radius
    return _single(distance, first + (first_radius + distance / 2) * normal, normal)


def sphere_box(center: jax.Array, radius: jax.Array, box: Box) -> Contacts:
    """One contact of a sphere around `center` `[3]` with a box. Their order is free: the friction cone is symmetric."""
    local = to_local(box.axes, center - box.position)
    clamped = jnp.clip(local, -box.half, box.half)
    gap = clamped - local
    length = _norm(gap)
    outward = gap / jnp.maximum(length, 1e-12)
    deepest = local + radius * outward
    margin = box.half - jnp.abs(local)
    least = jnp.min(margin, axis=0)
    first = aligned(jnp.arange(3), local, 1) == jnp.argmin(margin, axis=0)
    nearest = first * jnp.where(local < 0, 1.0, -1.0).astype(local.dtype)
    inside = length < 1e-12
    within = local + nearest * (radius - least) / 2
    normal = jnp.where(inside, nearest, outward)
    midway = jnp.where(inside, within, (clamped + deepest) / 2)
    return _single(length - radius, box.position + to_world(box.axes, midway), to_world(box.axes, normal))


def box_pillar(box: Box, pillar: jax.Array, pillar_radius: float) -> Contacts:
    """One contact of a box with an upright cylinder around `pillar` `[2]`.

    MuJoCo's general convex routine returns a point and a normal close to those of least overlap. Here they are exact,
    with the pillar as a sphere at the height of the box's center.
    """
    center = jnp.concatenate([pillar, box.position[2:]])
    return sphere_box(center, jnp.asarray(pillar_radius, pillar.dtype), box)


def wheel_sphere(hub: jax.Array, axes: jax.Array, size: jax.Array, center: jax.Array, radius: jax.Array) -> Contacts:
    """One contact of a wheel along its x axis, of `size` (radius, half width), with a sphere outside it."""
    local = to_local(axes, center - hub)
    across = jnp.sqrt(jnp.square(local[1]) + jnp.square(local[2]))
    rim = jnp.minimum(across, size[0]) / jnp.maximum(across, 1e-12)
    nearest = jnp.concatenate([jnp.clip(local[:1], -size[1], size[1]), rim * local[1:]])
    gap = local - nearest
    length = _norm(gap)
    normal = gap / jnp.maximum(length, 1e-12)
    distance = length - radius
    return _single(distance, hub + to_world(axes, nearest + 0.5 * distance * normal), to_world(axes, normal))


def wheel_box(hub: jax.Array, axes: jax.Array, size: jax.Array, box: Box) -> Contacts:
    """One contact of a wheel with a level axis, along its x axis, with an upright box: beside, above or below it.

    Seen from above the wheel is a rectangle at the height of its hub, whose deepest corner touches a box beside it.
    """

    def corner(along: jax.Array, across: jax.Array) -> tuple[jax.Array, ...]:
        point = hub + along * size[1] * axes[0] + across * size[0] * axes[1]
        local = to_local(box.axes, point - box.position)[:2]
        outside = jnp.abs(local) - box.half[:2]
        face = (outside[1] > outside[0]).astype(hub.dtype)
        inward = jnp.where(local < 0, 1.0, -1.0) * jnp.stack([1 - face, face])
        return jnp.maximum(outside[0], outside[1]), point, inward

    signs = jnp.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]], hub.dtype)
    depth, points, inward = jax.vmap(corner)(signs[:, 0], signs[:, 1])
    deepest = aligned(jnp.arange(4), depth, 1) == jnp.argmin(depth, axis=0)
    point, inward = (add_up(jnp.where(deepest[:, None], rows, 0.0)) for rows in (points, inward))
    beside, distance = inward[0] * box.axes[0] + inward[1] * box.axes[1], jnp.min(depth, axis=0)
    height = dot(box.axes[2], hub - box.position)
    stacked = jnp.abs(height) - box.half[2] - size[0]
    upright = jnp.where(height < 0, 1.0, -1.0).astype(hub.dtype) * box.axes[2]
    over = stacked > distance
    normal, point = jnp.where(over, upright, beside), jnp.where(over, hub + size[0] * upright, point)
    distance = jnp.where(over, stacked, distance)
    return _single(distance, point + 0.5 * distance * normal, normal)


def floor_box(box: Box) -> Contacts:
    """Four contacts of a box with the floor z = 0, at the corners of its lower half."""
    signs = jnp.array([[i, j, k] for k in (-1, 1) for j in (-1, 1) for i in (-1, 1)], box.half.dtype)
    corners = jax.vmap(lambda sign: to_world(box.axes, aligned(sign, box.position, 1) * box.half))(signs)
    distance = jnp.where(corners[:, 2] > 0, 1.0, box.position[2] + corners[:, 2])
    depth, local = compress(distance, corners, slots=4)
    return _on_floor(depth, box.position + local)


def _on_floor(depth: jax.Array, lowest: jax.Array) -> Contacts:
    """Contacts with the floor under the points `lowest` `[c, 3]`, at `depth` `[c]`."""
    up = jnp.broadcast_to(_up(lowest[0]), lowest.shape)
    return Contacts(depth, lowest - 0.5 * depth[:, None] * up, up)


def floor_sphere(center: jax.Array, radius: jax.Array) -> Contacts:
    """One contact of a sphere with the floor z = 0."""
    lowest = center - radius * _up(center)
    return _on_floor(lowest[2:], lowest[None])


def floor_wheel(center: jax.Array, axis: jax.Array, radius: float, half_width: float) -> Contacts:
    """Two contacts of a wheel with the floor z = 0, at the lowest point of each of its two rims.

    `axis` `[3]` is its unit axis. MuJoCo's further two points exist only for a cylinder that lies on its side.
    """
    along = jnp.where(axis[2] > 0, -axis, axis)
    down = along[2] * along - _up(axis)
    rim = down * (radius / _norm(down))
    reach = half_width * along
    points = jnp.stack([center + rim + reach, center + rim - reach])
    return _on_floor(points[:, 2], points)
