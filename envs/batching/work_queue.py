"""Loops of very different lengths side by side: a free lane takes the next job instead of waiting for the slowest.

Notation: N jobs, L lanes. A vectorized `lax.while_loop` steps all N until the last has finished. Where lengths vary as
much as those of rejection sampling do, that takes many times the mean length; a queue served by L lanes comes close to
the mean.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from envs.batching.control_flow import on_accelerator

_ROUNDS = 16  # between visits to the queue


def run_loops(
    begin: Callable[[Any], Any],
    advance: Callable[[Any], Any],
    finished: Callable[[Any], jax.Array],
    jobs: jax.Array,
    *,
    lanes: int = 32,
) -> Any:
    """What `while_loop(~finished, advance, begin(job))` returns for each of `jobs` `[N, ...]`, leading axis `[N]`.

    `advance` must leave a finished state as it is. On an accelerator every job has a lane of its own.
    """
    count = jobs.shape[0]
    lanes = count if on_accelerator() else min(lanes, count)
    first = jax.vmap(begin)(jobs[:lanes])
    results = jax.tree.map(lambda leaf: jnp.zeros((count, *leaf.shape[1:]), leaf.dtype), first)

    def open_jobs(carry: tuple[Any, ...]) -> jax.Array:
        return jnp.any(carry[0] < count)

    def serve(carry: tuple[Any, ...]) -> tuple[Any, ...]:
        job, following, states, results = carry
        states = lax.fori_loop(0, _ROUNDS, lambda _, states: jax.vmap(advance)(states), states)
        free = jax.vmap(finished)(states) & (job < count)
        target = jnp.where(free, job, count)  # out of range: dropped
        results = jax.tree.map(lambda all_, some: all_.at[target].set(some, mode="drop"), results, states)
        taken = jnp.where(free, following + jnp.cumsum(free) - free, job)
        fresh = jax.vmap(begin)(jobs[jnp.minimum(taken, count - 1)])

        def choose(new: jax.Array, old: jax.Array) -> jax.Array:
            return jnp.where(free.reshape(free.shape + (1,) * (new.ndim - 1)), new, old)

        return taken, following + jnp.sum(free, dtype=jnp.int32), jax.tree.map(choose, fresh, states), results

    start = (jnp.arange(lanes, dtype=jnp.int32), jnp.int32(lanes), first, results)
    return lax.while_loop(open_jobs, serve, start)[3]
