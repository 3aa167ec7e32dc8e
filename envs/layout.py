"""Random layouts: objects placed one after the other, rejected while too close to those already there.

n places (the robot first), M candidates drawn together. The distribution is the original's
(Safety-Gymnasium, `RandomGenerator.sample_layout`): uniform in the extents shrunk by the keepout, 100 tries a place,
then the whole layout starts again. Candidates come in small blocks of which the first valid one is taken, which keeps
that distribution and lets a vectorised loop end after a few rounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

TRIES = 100
_BLOCK = 20
_MAX_ROUNDS = 1_000_000


@dataclass(frozen=True)
class Place:
    """Where one thing may stand: `area` (xmin, ymin, xmax, ymax) before shrinking by `keepout` (m)."""

    area: tuple[float, float, float, float]
    keepout: float


@dataclass(frozen=True)
class Places:
    """All places of a task, in the order they are filled."""

    low: np.ndarray  # [n, 2]
    high: np.ndarray  # [n, 2]
    keepout: np.ndarray  # [n]

    @classmethod
    def of(cls, places: Sequence[Place]) -> "Places":
        """Arrays of `places`; raises ValueError where an area is smaller than its keepout."""
        for place in places:
            if min(place.area[2] - place.area[0], place.area[3] - place.area[1]) < 2 * place.keepout - 1e-8:
                raise ValueError(
                    f"the area {place.area} has no room for a keepout of {place.keepout}: enlarge the area"
                )
        areas = np.array([place.area for place in places])
        keepout = np.array([place.keepout for place in places])
        return cls(low=areas[:, :2] + keepout[:, None], high=areas[:, 2:] - keepout[:, None], keepout=keepout)


def _uniform(seed: jax.Array, rounds: jax.Array, dtype: jnp.dtype) -> jax.Array:
    """Numbers in 0..1, `[2, M]`: a counter hashed with `seed` `[2]`, for crowded layouts need thousands of draws.

    The hash is the 32-bit finaliser "lowbias32", applied twice; it costs a tenth of threefry.
    """
    word = rounds.astype(jnp.uint32) * jnp.uint32(2 * _BLOCK) + jnp.arange(2 * _BLOCK, dtype=jnp.uint32).reshape(
        2, _BLOCK
    )
    for half in (0, 1):
        word = word ^ seed[half]
        word = (word ^ (word >> 16)) * jnp.uint32(0x7FEB352D)
        word = (word ^ (word >> 15)) * jnp.uint32(0x846CA68B)
        word = word ^ (word >> 16)
    return (word >> 8).astype(dtype) * (1 / 2**24)


def _first_valid(
    uniform: jax.Array, low: jax.Array, high: jax.Array, others: jax.Array, clearance: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The first of M candidates at least `clearance` `[n]` from `others` `[n, 2]`: `[2]`, and whether there is one."""
    candidates = low[:, None] + (high - low)[:, None] * uniform
    squared = jnp.sum(jnp.square(candidates - others[:, :, None]), axis=1)
    valid = jnp.all(squared >= jnp.square(clearance)[:, None], axis=0)
    return candidates[:, jnp.argmax(valid)], jnp.any(valid)


def sample_layout(key: jax.Array, places: Places) -> jax.Array:
    """Positions `[n, 2]` of all places; NaN if none was found in a million rounds."""
    low, high, keepout = (jnp.asarray(array) for array in (places.low, places.high, places.keepout))
    total = len(places.keepout)
    seed = jax.random.bits(key, (2,))

    def unfinished(carry: tuple[jax.Array, ...]) -> jax.Array:
        return (carry[0] < total) & (carry[2] < _MAX_ROUNDS)

    def place_next(carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        index, failures, rounds, positions = carry
        here = jnp.arange(total) == index
        mine = jnp.sum(jnp.where(here, keepout, 0.0))
        clearance = jnp.where(jnp.arange(total) < index, keepout + mine, 0.0)
        area = (jnp.sum(jnp.where(here[:, None], bound, 0.0), axis=0) for bound in (low, high))
        xy, found = _first_valid(_uniform(seed, rounds, low.dtype), *area, positions, clearance)
        positions = jnp.where(here[:, None] & found, xy, positions)
        failures = jnp.where(found, 0, failures + _BLOCK)
        index = jnp.where(found, index + 1, jnp.where(failures >= TRIES, 0, index))
        return index, failures % TRIES, rounds + 1, positions

    zero = jnp.int32(0)
    index, _, _, positions = lax.while_loop(unfinished, place_next, (zero, zero, zero, jnp.zeros_like(low)))
    return jnp.where(index == total, positions, jnp.nan)


def resample_place(key: jax.Array, places: Places, index: int, positions: jax.Array, wanted: jax.Array) -> jax.Array:
    """A new position `[2]` for place `index` among `positions` `[n, 2]` where `wanted` `[]`, else the present one.

    The loop runs only while an environment of the batch still wants a place, so it is free when none does.
    """
    seed = jax.random.bits(key, (2,))
    low, high = jnp.asarray(places.low[index], positions.dtype), jnp.asarray(places.high[index], positions.dtype)
    clearance = places.keepout + places.keepout[index]
    clearance[index] = 0.0

    def unfinished(carry: tuple[jax.Array, ...]) -> jax.Array:
        return carry[0] & (carry[1] < _MAX_ROUNDS)

    def draw(carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        _, rounds, _ = carry
        uniform = _uniform(seed, rounds, positions.dtype)
        xy, found = _first_valid(uniform, low, high, positions, jnp.asarray(clearance, positions.dtype))
        return ~found, rounds + 1, xy

    return lax.while_loop(unfinished, draw, (wanted, jnp.int32(0), positions[index]))[2]
