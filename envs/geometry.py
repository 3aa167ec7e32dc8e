"""Whether planar shapes overlap: circles and turned rectangles, one against n.

All coordinates are in metres, all angles in radians.
"""

import jax
import jax.numpy as jnp


def rotate(vectors: jax.Array, angle: jax.Array) -> jax.Array:
    """`vectors` `[..., 2]` turned by `angle` `[...]`."""
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    x, y = vectors[..., 0], vectors[..., 1]
    return jnp.stack([cos * x - sin * y, sin * x + cos * y], axis=-1)


def circles_touch(centre: jax.Array, centres: jax.Array, reach: float) -> jax.Array:
    """Whether `centre` `[2]` is within `reach` of each of `centres` `[n, 2]`; bool `[n]`."""
    return jnp.sum(jnp.square(centres - centre), axis=-1) <= reach**2


def circles_touch_boxes(
    centres: jax.Array, radius: float, boxes: jax.Array, angles: jax.Array, half: float
) -> jax.Array:
    """Whether circles about `centres` touch squares of half side `half` at `boxes`, turned by `angles`; bool `[n]`.

    Points broadcast to `[n, 2]`, angles to `[n]`.
    """
    local = jnp.abs(rotate(centres - boxes, -angles))
    return jnp.sum(jnp.square(jnp.maximum(local - half, 0.0)), axis=-1) <= radius**2


def _separated(offset: jax.Array, angle: jax.Array, reach: float, other: float) -> jax.Array:
    """Whether a face of an upright square (half side `reach`) separates it from one at `offset` turned by `angle`."""
    extent = other * (jnp.abs(jnp.cos(angle)) + jnp.abs(jnp.sin(angle)))
    return jnp.any(jnp.abs(offset) > (reach + extent)[..., None], axis=-1)


def boxes_touch(
    first: jax.Array,
    first_angles: jax.Array,
    first_half: float,
    second: jax.Array,
    second_angles: jax.Array,
    second_half: float,
) -> jax.Array:
    """Whether squares overlap, by the separating axes of both; bool `[n]`.

    Centres broadcast to `[n, 2]`, angles to `[n]`.
    """
    turn = second_angles - first_angles
    apart = _separated(rotate(second - first, -first_angles), turn, first_half, second_half)
    return ~(apart | _separated(rotate(first - second, -second_angles), turn, second_half, first_half))
