"""What two touching shapes share: contacts, and MuJoCo's soft-contact parameters.

Notation: c contacts. Lengths are in m, times in s. Further axes of all arrays (environments) come behind those named.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from envs.batching.control_flow import on_accelerator
from envs.physics.linalg import aligned, cross, dot

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
    normal: jax.Array  # [c, 3] from the first shape to the second


def frame_from_normal(normal: jax.Array) -> jax.Array:
    """A right-handed frame `[3, 3]` whose first row is `normal` `[3]` (MuJoCo's `mju_makeFrame`)."""
    upright = jnp.abs(normal[1]) < 0.5
    along, none = upright.astype(normal.dtype), jnp.zeros_like(normal[1])
    guess = jnp.stack([none, along, 1 - along])
    tangent = guess - dot(guess, normal) * normal
    tangent = tangent / jnp.sqrt(dot(tangent, tangent))
    return jnp.stack([normal, tangent, cross(normal, tangent)])


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
    """The first entries with a distance of at most 0: distances `[slots]` (1 where unused) and values `[slots, d]`.

    `distance` is `[c]`, `values` `[c, d]`.
    """
    batch = distance.shape[1:]
    slot = aligned(jnp.arange(slots), distance, 1).astype(jnp.int32)
    if on_accelerator():
        real = distance <= 0
        place = jnp.where(real, jnp.cumsum(real, axis=0) - 1, slots)
        here = place == slot[:, None]  # [slots, c]
        kept = jnp.sum(jnp.where(here, distance, 0), axis=1) + ~jnp.any(here, axis=1)
        return kept, jnp.sum(jnp.where(here[:, :, None], values, 0), axis=1)

    def take(carry: tuple[Any, ...], entry: tuple[jax.Array, jax.Array]) -> tuple[tuple[Any, ...], None]:
        count, kept, values = carry
        real = entry[0] <= 0
        here = real & (slot == count)
        values = jnp.where(here[:, None], entry[1], values)
        return (count + real, jnp.where(here, entry[0], kept), values), None

    unused = jnp.ones((slots, *batch), distance.dtype), jnp.zeros((slots, values.shape[1], *batch), values.dtype)
    return lax.scan(take, (jnp.zeros(batch, jnp.int32), *unused), (distance, values))[0][1:]
