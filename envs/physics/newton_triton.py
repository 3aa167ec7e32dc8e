"""The iterations of `envs.physics.newton` as one kernel, for GPUs that Pallas compiles for through Triton.

An iteration takes about thirty separate operations, each of which costs microseconds to start, however few environments
there are. Here a warp keeps an environment's whole problem in registers and stops when it is solved.

JAX plans to drop Triton from Pallas. Then importing this module fails, and `newton` falls back on operations.

Notation: n degrees of freedom, e edges, N environments; n and e are padded to the next power of two.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

MIN_SIDE = 16  # of a matrix product


def run_newton(
    mass: jax.Array,
    force: jax.Array,
    edges: jax.Array,
    offset: jax.Array,
    start: jax.Array,
    iterations: int,
    searches: int,
    close: float,
    *,
    interpret: bool = False,
) -> jax.Array:
    """The minimum `[n, N]` of 1/2 a' M a - b' a + 1/2 sum min(E a + o, 0)^2 as `newton.minimize` finds it.

    The arguments are `mass` M `[n, n, N]`, `force` b `[n, N]`, `edges` E `[e, n, N]`, `offset` o `[e, N]` and the
    `start` `[n, N]`. `interpret` runs the kernel on any machine, slowly.
    """
    size, items = start.shape
    count, width = _padded(edges.shape[0]), _padded(size)
    # The padding has a mass of its own and edges that nothing moves.
    unit = jnp.diag((jnp.arange(width) >= size).astype(mass.dtype))[None]
    arrays = (
        _first(mass, (width, width)) + unit,
        _first(force, (width,)),
        _first(edges, (count, width)),
        _first(offset, (count,)),
        _first(start, (width,)),
    )
    found = pl.pallas_call(
        partial(_kernel, size=size, iterations=iterations, searches=searches, close=close),
        grid=(items,),
        in_specs=[pl.BlockSpec((None, *x.shape[1:]), partial(_own, x.ndim)) for x in arrays],
        out_specs=pl.BlockSpec((None, width), partial(_own, 2)),
        out_shape=jax.ShapeDtypeStruct((items, width), start.dtype),
        compiler_params=triton.CompilerParams(num_warps=max(1, count * width // 4096), num_stages=1),
        interpret=interpret,
        name="newton",
    )(*arrays)
    return found[:, :size].T


def _padded(size: int) -> int:
    return max(MIN_SIDE, 1 << (size - 1).bit_length())


def _first(array: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """`array` `[..., N]` as `[N, ...]`, padded with zeros to `shape`."""
    missing = [(0, full - have) for full, have in zip(shape, array.shape, strict=False)]
    return jnp.moveaxis(jnp.pad(array, [*missing, (0, 0)]), -1, 0)


def _own(ndim: int, item: Any) -> tuple[Any, ...]:
    return (item, *(0,) * (ndim - 1))


def _kernel(
    mass_ref: Any, force_ref: Any, edges_ref: Any, offset_ref: Any, start_ref: Any, found_ref: Any, *,
    size: int, iterations: int, searches: int, close: float,
) -> None:  # fmt: skip
    """All iterations of one environment."""
    mass, edges = mass_ref[...], edges_ref[...]

    def times(matrix: jax.Array, vector: jax.Array) -> jax.Array:
        return jnp.sum(matrix * vector[None, :], axis=1)

    def search(base: jax.Array, rise: jax.Array, slope: jax.Array, curve: jax.Array, idle: jax.Array) -> jax.Array:
        """The step `[]` along a direction, as `newton._line_search` finds it."""

        def unfinished(carry: tuple[Any, ...]) -> jax.Array:
            return (carry[0] < searches) & ~carry[4]

        def refine(carry: tuple[Any, ...]) -> tuple[Any, ...]:
            count, low, high, step, _ = carry
            at = base + step * rise
            first = slope + step * curve + jnp.sum(jnp.minimum(at, 0) * rise)
            second = curve + jnp.sum(jnp.where(at < 0, rise * rise, 0))
            low, high = jnp.where(first < 0, step, low), jnp.where(first < 0, high, step)
            proposal = step - first / second
            proposal = jnp.where((proposal >= low) & (proposal <= high), proposal, 0.5 * (low + high))
            return count + 1, low, high, proposal, jnp.abs(proposal - step) <= close

        one = jnp.ones_like(slope)
        return lax.while_loop(unfinished, refine, (0, 0 * one, 4 * one, one, idle))[3]

    def iterate(carry: tuple[Any, ...]) -> tuple[Any, ...]:
        taken, point, pull, base, _ = carry
        active = jnp.where((base < 0)[:, None], edges, 0)
        hessian = mass + jnp.dot(active.T, edges, precision=lax.Precision.HIGHEST)
        direction = -_solve(hessian, pull + jnp.sum(active * base[:, None], axis=0), size)
        push, rise = times(mass, direction), times(edges, direction)
        settled = jnp.sum(((base < 0) != (base + rise < 0)).astype(jnp.int32)) == 0
        slope, curve = jnp.sum(direction * pull), jnp.sum(direction * push)
        step = search(base, rise, slope, curve, settled)
        return taken + 1, point + step * direction, pull + step * push, base + step * rise, settled

    start = start_ref[...]
    begin = (0, start, times(mass, start) - force_ref[...], times(edges, start) + offset_ref[...], False)
    found_ref[...] = lax.while_loop(lambda carry: (carry[0] < iterations) & ~carry[4], iterate, begin)[1]


def _solve(system: jax.Array, right: jax.Array, size: int) -> jax.Array:
    """The solution, by Gauss-Jordan, of a positive definite `system` whose rows from `size` on are padding."""
    order = lax.iota(jnp.int32, system.shape[0])

    def column(index: jax.Array, carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        system, right = carry
        own = order == index
        row = jnp.sum(jnp.where(own[:, None], system, 0), axis=0)
        factor = jnp.sum(jnp.where(own[None, :], system, 0), axis=1)
        inverse = 1 / jnp.sum(jnp.where(own, row, 0))
        factor = jnp.where(own, 1 - inverse, factor * inverse)
        return system - factor[:, None] * row[None, :], right - factor * jnp.sum(jnp.where(own, right, 0))

    return lax.fori_loop(0, size, column, (system, right))[1]
