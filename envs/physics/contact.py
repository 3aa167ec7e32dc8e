"""What two touching shapes share: contacts, and MuJoCo's soft-contact parameters.

c contacts. Lengths in m, times in s.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from envs.physics.rotation import cross

TIME_CONSTANT = 0.02
_SOFTEST, _HARDEST, _WIDTH = 0.9, 0.95, 1e-3


class Box(NamedTuple):
    """A box of half extents `half` `[3]` at `position` `[3]`; the rows of `axes` `[3, 3]` are its axes in the world."""

    position: jax.Array
    axes: jax.Array
    half: jax.Array


class Contacts(NamedTuple):
    """Points where two shapes touch; those with a distance above 0 do not count."""

    distance: jax.Array  # [c]
    position: jax.Array  # [c, 3]
    frame: jax.Array  # [c, 3, 3] rows: normal from the first shape to the second, two tangents


def frame_from_normal(normal: jax.Array) -> jax.Array:
    """A right-handed frame `[..., 3, 3]` whose first row is `normal` `[..., 3]` (MuJoCo's `mju_makeFrame`)."""
    upright = jnp.abs(normal[..., 1]) < 0.5
    guess = jnp.where(upright[..., None], jnp.array([0.0, 1.0, 0.0]), jnp.array([0.0, 0.0, 1.0])).astype(normal.dtype)
    tangent = guess - jnp.sum(guess * normal, axis=-1, keepdims=True) * normal
    tangent = tangent / jnp.sqrt(jnp.sum(jnp.square(tangent), axis=-1, keepdims=True))
    return jnp.stack([normal, tangent, cross(normal, tangent)], axis=-2)


def impedance(violation: jax.Array) -> jax.Array:
    """The share of the reference acceleration that a constraint enforces, from its violation (MuJoCo's `solimp`)."""
    x = jnp.minimum(jnp.abs(violation) / _WIDTH, 1.0)
    sigmoid = jnp.where(x <= 0.5, 2 * x * x, 1 - 2 * (1 - x) * (1 - x))
    return _SOFTEST + (_HARDEST - _SOFTEST) * sigmoid


def reference_gains(damping_ratio: float = 1.0) -> tuple[float, float]:
    """Stiffness K (1/s^2) and damping B (1/s) of the reference acceleration -B v - K i x (MuJoCo's `solref`)."""
    stiffness = 1 / (_HARDEST * TIME_CONSTANT * damping_ratio) ** 2
    return stiffness, 2 / (_HARDEST * TIME_CONSTANT)


def compress(distance: jax.Array, values: jax.Array, *, slots: int) -> tuple[jax.Array, jax.Array]:
    """The first entries with a distance up to 0: distances `[slots]` (1 where unused) and values `[slots, d]`."""
    real = distance <= 0
    rank = jnp.cumsum(real) - 1
    place = ((rank[None] == jnp.arange(slots)[:, None]) & real[None]).astype(distance.dtype)
    used = jnp.sum(place, axis=1) > 0
    return jnp.where(used, place @ distance, 1.0), place @ values
