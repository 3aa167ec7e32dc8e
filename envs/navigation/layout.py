"""Random layouts: objects are placed one after another, and rejected while too close to those already there.

Notation: n places (the robot first), M candidates drawn together. The distribution is the original's
(Safety-Gymnasium, `RandomGenerator.sample_layout`): uniform in the extents shrunk by the keepout, with 100 tries per
place before the whole layout starts again. Candidates come in small blocks, of which the first valid one is taken. That
keeps the distribution and lets a vectorized loop end after a few rounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import lax

from envs.batching.work_queue import run_loops

TRIES = 100
DENSEST = 0.5
"""Largest share of the area that discs of the keepouts' radii may cover: placed at random they jam at 0.547."""
_BLOCK = 16
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
        """Arrays of `places`; raises ValueError where an area is smaller than its keepout, or all are too crowded."""
        for place in places:
            if min(place.area[2] - place.area[0], place.area[3] - place.area[1]) < 2 * place.keepout - 1e-8:
                raise ValueError(
                    f"the area {place.area} has no room for a keepout of {place.keepout}: enlarge the area"
                )
        areas = np.array([place.area for place in places])
        keepout = np.array([place.keepout for place in places])
        room = np.prod(areas[:, 2:].max(0) - areas[:, :2].min(0))
        covered = np.pi * np.sum(keepout**2) / room
        if covered > DENSEST:
            raise ValueError(
                f"{len(places)} objects and robots with their keepouts cover {covered:.0%} of the area, and layouts of "
                f"more than {DENSEST:.0%} are not found at random: take fewer or smaller ones, or enlarge the area"
            )
        return cls(low=areas[:, :2] + keepout[:, None], high=areas[:, 2:] - keepout[:, None], keepout=keepout)


class _Search(struct.PyTreeNode):
    """A layout in the making."""

    seed: jax.Array  # uint32 [2]
    index: jax.Array  # int32 [], the place to fill next
    tries: jax.Array  # int32 [], at that place
    rounds: jax.Array  # int32 [], in total
    positions: jax.Array  # [n, 2]


def _uniform(seed: jax.Array, rounds: jax.Array, dtype: jnp.dtype) -> jax.Array:
    """Uniform numbers in 0..1, `[2, M]`: a counter hashed with `seed` `[2]`.

    The hash is the 32-bit finalizer "lowbias32", applied twice. It costs a tenth of threefry, and crowded layouts need
    thousands of draws.
    """
    word = jnp.arange(2 * _BLOCK, dtype=jnp.uint32).reshape(2, _BLOCK) + rounds.astype(jnp.uint32) * (2 * _BLOCK)
    for half in (0, 1):
        word = word ^ seed[half]
        word = (word ^ (word >> 16)) * jnp.uint32(0x7FEB352D)
        word = (word ^ (word >> 15)) * jnp.uint32(0x846CA68B)
        word = word ^ (word >> 16)
    return (word >> 8).astype(dtype) * (1 / 2**24)


def _first_valid(
    uniform: jax.Array, tries: jax.Array | int, low: jax.Array, high: jax.Array, others: jax.Array, clearance: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The first of M candidates at least `clearance` `[n]` from `others` `[n, 2]`: `[2]`, and whether there is one.

    Candidates beyond the last of the TRIES, of which `tries` are already spent, do not count.
    """
    x, y = (low[axis] + (high[axis] - low[axis]) * uniform[axis] for axis in (0, 1))
    squared = jnp.square(x - others[:, :1]) + jnp.square(y - others[:, 1:])
    order = jnp.arange(_BLOCK)
    valid = jnp.all(squared >= jnp.square(clearance)[:, None], axis=0) & (order + tries < TRIES)
    first = jnp.min(jnp.where(valid, order, _BLOCK))
    picked = order == first
    return jnp.stack([jnp.sum(jnp.where(picked, x, 0.0)), jnp.sum(jnp.where(picked, y, 0.0))]), first < _BLOCK


def _begin(key: jax.Array, places: Places) -> _Search:
    zero = jnp.int32(0)
    positions = jnp.zeros_like(jnp.asarray(places.low))
    return _Search(seed=jax.random.bits(key, (2,)), index=zero, tries=zero, rounds=zero, positions=positions)


def _finished(search: _Search) -> jax.Array:
    return (search.index >= search.positions.shape[0]) | (search.rounds >= _MAX_ROUNDS)


def _advance(search: _Search, places: Places) -> _Search:
    """Try a block of candidates for the next place; after TRIES of them start the layout again. Avoids slow gathers."""
    dtype = search.positions.dtype
    order = jnp.arange(search.positions.shape[0])
    here = order == search.index
    keepout, low, high = (jnp.asarray(array, dtype) for array in (places.keepout, places.low, places.high))
    low, high = (jnp.sum(jnp.where(here[:, None], bound, 0.0), axis=0) for bound in (low, high))
    clearance = jnp.where(order < search.index, keepout + jnp.sum(jnp.where(here, keepout, 0.0)), 0.0)
    uniform = _uniform(search.seed, search.rounds, dtype)
    xy, found = _first_valid(uniform, search.tries, low, high, search.positions, clearance)
    exhausted = ~found & (search.tries + _BLOCK >= TRIES) & ~_finished(search)
    return _Search(
        seed=search.seed,
        index=jnp.where(exhausted, 0, search.index + (found & ~_finished(search))),
        tries=jnp.where(found | exhausted, 0, search.tries + _BLOCK),
        rounds=search.rounds + 1,
        positions=jnp.where(here[:, None] & found, xy, search.positions),
    )


def sample_layout(key: jax.Array, places: Places) -> jax.Array:
    """Positions `[n, 2]` of all places; NaN if no layout was found in a million rounds.

    Under `vmap` a queue serves the searches of the batch.
    """
    begin, advance = partial(_begin, places=places), partial(_advance, places=places)

    @jax.custom_batching.custom_vmap
    def search(key: jax.Array) -> _Search:
        return lax.while_loop(lambda state: ~_finished(state), advance, begin(key))

    @search.def_vmap
    def _(axis_size: int, batched: list[bool], keys: jax.Array) -> tuple[_Search, Any]:
        found = run_loops(begin, advance, _finished, keys)
        return found, jax.tree.map(lambda _: True, found)

    result = search(key)
    return jnp.where(result.index == len(places.keepout), result.positions, jnp.nan)


def resample_place(key: jax.Array, places: Places, index: int, positions: jax.Array, wanted: jax.Array) -> jax.Array:
    """A new position `[2]` for place `index` among `positions` `[n, 2]` where `wanted` `[]`, else the present one.

    The loop runs only while some environment of the batch still wants a place, so that it is free when none does.
    """
    seed = jax.random.bits(key, (2,))
    low, high = jnp.asarray(places.low[index], positions.dtype), jnp.asarray(places.high[index], positions.dtype)
    clearance = places.keepout + places.keepout[index]
    clearance[index] = 0.0

    def unfinished(carry: tuple[jax.Array, jax.Array, jax.Array]) -> jax.Array:
        return carry[0] & (carry[1] < _MAX_ROUNDS)

    def draw(carry: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        _, rounds, _ = carry
        uniform = _uniform(seed, rounds, positions.dtype)
        xy, found = _first_valid(uniform, 0, low, high, positions, jnp.asarray(clearance, positions.dtype))
        return ~found, rounds + 1, xy

    return lax.while_loop(unfinished, draw, (wanted, jnp.int32(0), positions[index]))[2]
