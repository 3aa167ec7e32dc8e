"""Pseudo-lidar: how close the nearest object of one kind is, in 16 directions.

Notation: n objects. The original (Safety-Gymnasium, `BaseTask._obs_lidar_pseudo`) loops over the objects and scatters
each into three bins. Seen from a bin, an object at bin coordinate f (angle over bin size) contributes a trapezoid of f
that is 1 over the bin itself and falls to 0 over each neighbor, so that one dense maximum without a scatter gives all
bins.
"""

import jax
import jax.numpy as jnp
import numpy as np

BINS = 16
_CENTERS = np.arange(BINS) + 0.5


def lidar(ego: jax.Array, max_distance: float) -> jax.Array:
    """Readings `[16]` of objects at `ego` `[n, 2]` (m, robot frame), from 1 at the robot to 0 at `max_distance` (m)."""
    distance = jnp.sqrt(jnp.sum(jnp.square(ego), axis=-1))
    closeness = jnp.maximum(0.0, max_distance - distance) / max_distance
    coordinate = jnp.arctan2(ego[:, 1], ego[:, 0]) * (BINS / (2 * jnp.pi))  # in -8..8
    centers = jnp.asarray((_CENTERS + BINS / 2) % BINS - BINS / 2, ego.dtype)  # small numbers keep float32 exact
    gap = jnp.abs(coordinate[:, None] - centers)  # in 0..15.5; around the circle it is at most 8
    gap = jnp.minimum(gap, BINS - gap)
    share = jnp.clip(1.5 - gap, 0.0, 1.0)
    return jnp.max(closeness[:, None] * share, axis=0)
