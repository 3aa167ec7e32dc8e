"""Rotations in the plane; angles in radians."""

import jax
import jax.numpy as jnp


def rotate(vectors: jax.Array, angle: jax.Array) -> jax.Array:
    """`vectors` `[..., 2]` turned by `angle` `[...]`."""
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    x, y = vectors[..., 0], vectors[..., 1]
    return jnp.stack([cos * x - sin * y, sin * x + cos * y], axis=-1)


def turned(vector: jax.Array, angle: jax.Array) -> jax.Array:
    """`vector` `[2, ...]`, components first, turned by `angle` `[...]`."""
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    x, y = vector
    return jnp.stack([cos * x - sin * y, sin * x + cos * y])
