"""Gremlins: cubes that a soft weld drags behind targets on circles, all in phase.

Untouched, a gremlin is a mass on MuJoCo's soft weld: of the reference acceleration -B v - K i x it takes the share
i = .95, the constraint's impedance, with B = 2 / (.95 tc) and K = 1 / (.95 tc r)^2 for time constant tc and damping
ratio r. All share their phase, so one displacement serves all.
"""

import jax
import jax.numpy as jnp
from flax import struct
from jax import lax

TRAVEL = 0.35  # m, radius of the circles
_TIME_CONSTANT = 0.02
_DAMPING_RATIO = 1.5
_STIFFNESS = 1 / (_TIME_CONSTANT * _DAMPING_RATIO) ** 2  # the impedance cancels out of both
_DAMPING = 2 / _TIME_CONSTANT


class Carrier(struct.PyTreeNode):
    """Displacement of every gremlin from its place in the layout."""

    offset: jax.Array  # [2] m
    velocity: jax.Array  # [2] m/s


def initial(like: jax.Array) -> Carrier:
    """At rest at the places of the layout, with the dtype of `like`."""
    zero = jnp.zeros(2, like.dtype)
    return Carrier(offset=zero, velocity=zero)


def target(time: jax.Array) -> jax.Array:
    """Where the weld pulls at `time` `[]` (s) after the reset; `[2]`."""
    return TRAVEL * jnp.stack([jnp.sin(time), jnp.cos(time)])


def step(carrier: Carrier, time: jax.Array, timestep: float, substeps: int) -> Carrier:
    """`substeps` Euler steps of `timestep` (s) from `time` on."""

    def substep(index: jax.Array, moving: Carrier) -> Carrier:
        gap = moving.offset - target(time + index * timestep)
        pull = -(_DAMPING * moving.velocity + _STIFFNESS * gap)
        velocity = moving.velocity + timestep * pull
        return Carrier(offset=moving.offset + timestep * velocity, velocity=velocity)

    return lax.fori_loop(0, substeps, substep, carrier, unroll=True)
