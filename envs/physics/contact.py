"""What two touching shapes share: contacts, and MuJoCo's soft-contact parameters.

Notation: c contacts. Lengths are in m, times in s. Further axes of all arrays (environments) come behind those named.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from envs.physics.linalg import add_up, cross, dot

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
    length = distance.shape[0]
    # How many real entries there are up to each: a matrix product, as XLA's running sums are slow on a CPU.
    real = (distance <= 0).astype(distance.dtype)
    before = jnp.tensordot(np.tril(np.ones((length, length), real.dtype)), real, 1)
    slot = jnp.arange(slots, dtype=distance.dtype).reshape(-1, *(1,) * (distance.ndim - 1))
    place = add_up((before[:, None] <= slot).astype(jnp.int32))  # [slots]
    used, place = place < length, jnp.minimum(place, length - 1)
    taken, kept = (
        jnp.take_along_axis(leaf, index, axis=0, mode="promise_in_bounds")
        for leaf, index in ((distance, place), (values, place[:, None]))
    )
    return jnp.where(used, taken, 1.0), jnp.where(used[:, None], kept, 0.0)
