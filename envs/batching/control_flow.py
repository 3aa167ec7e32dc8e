"""Loops in the form that the machine at hand runs fastest.

A CPU works on short vectors that stay in its cache, compiles a rolled loop quickly and gains where a loop stops early.
An accelerator pays microseconds for every operation it starts, and more where its host must look at a condition first,
but hardly anything for more items. There short loops are unrolled, which lets their operations fuse, and run to the
end. The results are the same.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


def on_accelerator() -> bool:
    """Whether programs are compiled for something other than a CPU."""
    return jax.default_backend() != "cpu"


def on_gpu() -> bool:
    """Whether programs are compiled for a GPU."""
    return jax.default_backend() == "gpu"


def repeat(count: int, body: Callable[[Any, Any], Any], start: Any) -> Any:
    """Run `lax.fori_loop` from 0 to a small `count`."""
    return lax.fori_loop(0, count, body, start, unroll=on_accelerator())


def until_done(
    finished: Callable[[Any], jax.Array], body: Callable[[Any], Any], start: Any, limit: int, *, short: bool = False
) -> Any:
    """Apply `body` until `finished`, at most `limit` times; it must leave what is finished as it is.

    An accelerator makes all `limit` rounds, unrolled where they are `short`.
    """
    if on_accelerator():
        return lax.fori_loop(0, limit, lambda _, state: body(state), start, unroll=short)

    def unfinished(carry: tuple[jax.Array, Any]) -> jax.Array:
        return (carry[0] < limit) & ~finished(carry[1])

    return lax.while_loop(unfinished, lambda carry: (carry[0] + 1, body(carry[1])), (jnp.int32(0), start))[1]
