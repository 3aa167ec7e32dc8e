"""Small vectors and matrices, component axes first, and rotations in the plane.

Every array may have further axes behind those named, of many bodies or environments: in this order every operation runs
on full vectors. For the same reason sums are written out, since XLA's reductions on a CPU are not vectorized over the
axes behind the one they sum over; so are products, since accelerators round what they multiply as matrices to 10 bits.
"""

import jax
import jax.numpy as jnp
from jax import lax

from envs.batching.control_flow import on_accelerator

_AT_ONCE = 8  # terms of a sum that are computed inside the operation that needs it


def aligned(constant: object, like: jax.Array, ndim: int) -> jax.Array:
    """A `constant` array in the dtype of `like`, with as many axes of length 1 behind it as `like` has after `ndim`."""
    values = jnp.asarray(constant, like.dtype)
    return values.reshape(values.shape + (1,) * (like.ndim - ndim))


def dot(left: jax.Array, right: jax.Array) -> jax.Array:
    """The scalar product `[...]` of vectors `[3, ...]`."""
    return left[0] * right[0] + left[1] * right[1] + left[2] * right[2]


def cross(left: jax.Array, right: jax.Array) -> jax.Array:
    """The cross product of vectors `[3, ...]`."""
    a, b, c = left
    x, y, z = right
    return jnp.stack([b * z - c * y, c * x - a * z, a * y - b * x])


def rotate(vectors: jax.Array, angle: jax.Array, axis: int = 0) -> jax.Array:
    """Plane vectors, whose two components lie along `axis`, rotated by `angle` (rad), of the shape of the other axes.

    `[2, ...]` by default; `axis=-1` takes vectors `[..., 2]`.
    """
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    x, y = jnp.moveaxis(vectors, axis, 0)
    return jnp.stack([cos * x - sin * y, sin * x + cos * y], axis=axis)


def product(left: jax.Array, right: jax.Array) -> jax.Array:
    """The matrix product `[i, j, ...]` of `[i, 3, ...]` and `[3, j, ...]`."""
    return left[:, :1] * right[0] + left[:, 1:2] * right[1] + left[:, 2:3] * right[2]


def to_local(axes: jax.Array, vector: jax.Array) -> jax.Array:
    """Components of `vector` `[3, ...]` along the rows of `axes` `[3, 3, ...]`."""
    return axes[:, 0] * vector[0] + axes[:, 1] * vector[1] + axes[:, 2] * vector[2]


def to_world(axes: jax.Array, local: jax.Array) -> jax.Array:
    """The vector `[3, ...]` with components `local` `[3, ...]` along the rows of `axes` `[3, 3, ...]`."""
    return axes[0] * local[0] + axes[1] * local[1] + axes[2] * local[2]


def apply(matrix: jax.Array, vector: jax.Array) -> jax.Array:
    """The product `[m]` of `matrix` `[m, n]` and `vector` `[n]`."""
    total = matrix[:, 0] * vector[0]
    for index in range(1, vector.shape[0]):
        total = total + matrix[:, index] * vector[index]
    return total


def add_up(terms: jax.Array) -> jax.Array:
    """The sum `[...]` of `terms` `[m, ...]`, eight at a time; an accelerator reduces where there are many terms."""
    if terms.shape[0] > _AT_ONCE and on_accelerator():
        return jnp.sum(terms, axis=0)
    while terms.shape[0] > 1:
        parts = min(_AT_ONCE, terms.shape[0])
        size = terms.shape[0] // parts
        total = terms[:size]
        for part in range(1, parts):
            total = total + terms[part * size : (part + 1) * size]
        rest = terms[parts * size :]
        terms = total if rest.shape[0] == 0 else lax.optimization_barrier(jnp.concatenate([total, rest]))
    return terms[0]
