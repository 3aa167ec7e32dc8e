"""Compute something expensive only for the environments that need it, inside a vmapped step.

N items in all, n of them active. Under `vmap` an ordinary conditional computes both branches for everybody. Here the
active items are gathered into chunks of a fixed size, computed chunk by chunk until none is left, and scattered back.
Within a chunk the items lie along the last axis, where small matrices are worked on with full vector instructions.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap

from envs.batching.control_flow import on_accelerator

Tree = Any

ACCELERATOR_CHUNKS = 16  # of all items: about as many in each as are active at a time in most tasks


def only_where(compute: Callable[[Tree], Tree], chunk: int) -> Callable[[jax.Array, Tree, Tree], Tree]:
    """A function `(active [], inputs, idle) -> outputs`: `compute(inputs)` where active, else `idle`.

    `compute` takes many items at once, along the last axis of everything, and returns them so; `idle` has the
    structure, shapes and dtypes of what it returns for one. Under any number of vmaps the cost grows with the number of
    active items, rounded up to `chunk`. An item alone costs as much as a chunk: in one shape `compute` is traced once.
    """
    traced = jax.jit(compute)

    def batched(axis_size: int, args: Tree, has_axis: Tree) -> Tree:
        def leading(value: jax.Array, has_axis: bool) -> jax.Array:
            return value if has_axis else jnp.broadcast_to(value, (axis_size, *jnp.shape(value)))

        return jax.tree.map(leading, args, has_axis)

    @custom_vmap
    def many(active: jax.Array, inputs: Tree, idle: Tree) -> Tree:
        return _in_chunks(traced, chunk, active, inputs, idle)

    @many.def_vmap
    def many_of_many(axis_size: int, has_axis: list[Any], *args: Any) -> tuple[Tree, Tree]:
        full = batched(axis_size, tuple(args), tuple(has_axis))
        inner = full[0].shape[1]
        flat = jax.tree.map(lambda value: value.reshape(axis_size * inner, *value.shape[2:]), full)
        outputs = jax.tree.map(lambda value: value.reshape(axis_size, inner, *value.shape[1:]), many(*flat))
        return outputs, jax.tree.map(lambda _: True, outputs)

    @custom_vmap
    def one(active: jax.Array, inputs: Tree, idle: Tree) -> Tree:
        alone = jax.tree.map(lambda _: False, (inputs, idle))
        outputs = many(active & (jnp.arange(chunk) == 0), *batched(chunk, (inputs, idle), alone))
        return jax.tree.map(lambda value: value[0], outputs)

    @one.def_vmap
    def many_of_one(axis_size: int, has_axis: list[Any], *args: Any) -> tuple[Tree, Tree]:
        outputs = many(*batched(axis_size, tuple(args), tuple(has_axis)))
        return outputs, jax.tree.map(lambda _: True, outputs)

    return one


def _in_chunks(compute: Callable[[Tree], Tree], chunk: int, active: jax.Array, inputs: Tree, idle: Tree) -> Tree:
    """`compute` for the active of the items along the leading axis `[N]` of everything."""
    total = active.shape[0]
    # An accelerator computes a share of all in the time of a few.
    size = min(total, max(chunk, -(-total // ACCELERATOR_CHUNKS) if on_accelerator() else chunk))
    count = jnp.sum(active)
    order = jnp.nonzero(active, size=-(-total // size) * size, fill_value=total)[0]

    def unfinished(carry: tuple[jax.Array, Tree]) -> jax.Array:
        return carry[0] < count

    def advance(carry: tuple[jax.Array, Tree]) -> tuple[jax.Array, Tree]:
        done, outputs = carry
        index = lax.dynamic_slice_in_dim(order, done, size)
        taken = jax.tree.map(lambda value: jnp.moveaxis(value.at[index].get(mode="clip"), 0, -1), inputs)
        results = compute(taken)
        scattered = jax.tree.map(
            lambda out, new: out.at[index].set(jnp.moveaxis(new, -1, 0), mode="drop"), outputs, results
        )
        return done + size, scattered

    return lax.while_loop(unfinished, advance, (jnp.zeros_like(count), idle))[1]
