"""Compute something expensive only for the environments that need it, inside a vmapped step.

Notation: N items in all, n of them active. Under `vmap` an ordinary conditional computes both branches for every item.
Here the active items are gathered into chunks of a fixed size, computed chunk by chunk until none is left, and
scattered back.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap

from envs.batching.control_flow import on_accelerator

Tree = Any

ACCELERATOR_CHUNKS = 16  # chunks that all items make: about as many items in each as most tasks have active at a time


def map_active(
    compute: Callable[[Tree], Tree], active: jax.Array, inputs: Tree, idle: Tree, *, size: int, axis: int = 0
) -> Tree:
    """`compute(inputs)` where `active` `[N]`, else `idle`; the active items are computed `size` at a time.

    Everything has a leading axis `[N]`. `compute` takes and returns the items of a chunk along `axis`; what it returns
    has the structure, the shapes and the dtypes of `idle`.
    """
    total = active.shape[0]
    size = min(total, size)
    count = jnp.sum(active)
    order = jnp.nonzero(active, size=-(-total // size) * size, fill_value=total)[0]

    def unfinished(carry: tuple[jax.Array, Tree]) -> jax.Array:
        return carry[0] < count

    def advance(carry: tuple[jax.Array, Tree]) -> tuple[jax.Array, Tree]:
        done, outputs = carry
        index = lax.dynamic_slice_in_dim(order, done, size)  # an index out of range stands for no item
        taken = jax.tree.map(lambda value: jnp.moveaxis(value.at[index].get(mode="clip"), 0, axis), inputs)
        results = compute(taken)
        scattered = jax.tree.map(
            lambda out, new: out.at[index].set(jnp.moveaxis(new, axis, 0), mode="drop"), outputs, results
        )
        return done + size, scattered

    return lax.while_loop(unfinished, advance, (jnp.zeros_like(count), idle))[1]


def compacted(compute: Callable[[Tree], Tree], chunk: int) -> Callable[[jax.Array, Tree, Tree], Tree]:
    """A function `(active [], inputs, idle) -> outputs` of one item: `compute(inputs)` where active, else `idle`.

    `compute` takes many items, along the last axis of everything, where small matrices are worked on with full vector
    instructions, and returns them so; `idle` has the structure, shapes and dtypes of what it returns for one item.
    Under any number of vmaps the cost grows with the number of active items, rounded up to `chunk`. A single item
    costs as much as a chunk, because `compute` is traced for one shape only.
    """
    traced = jax.jit(compute)

    @custom_vmap
    def many(active: jax.Array, inputs: Tree, idle: Tree) -> Tree:
        # An accelerator computes a share of all items in the time of a few.
        share = -(-active.shape[0] // ACCELERATOR_CHUNKS) if on_accelerator() else chunk
        return map_active(traced, active, inputs, idle, size=max(chunk, share), axis=-1)

    @many.def_vmap
    def many_of_many(axis_size: int, has_axis: list[Any], *args: Any) -> tuple[Tree, Tree]:
        full = _batched(axis_size, tuple(args), tuple(has_axis))
        inner = full[0].shape[1]
        flat = jax.tree.map(lambda value: value.reshape(axis_size * inner, *value.shape[2:]), full)
        outputs = jax.tree.map(lambda value: value.reshape(axis_size, inner, *value.shape[1:]), many(*flat))
        return outputs, jax.tree.map(lambda _: True, outputs)

    @custom_vmap
    def one(active: jax.Array, inputs: Tree, idle: Tree) -> Tree:
        alone = jax.tree.map(lambda _: False, (inputs, idle))
        outputs = many(active & (jnp.arange(chunk) == 0), *_batched(chunk, (inputs, idle), alone))
        return jax.tree.map(lambda value: value[0], outputs)

    @one.def_vmap
    def many_of_one(axis_size: int, has_axis: list[Any], *args: Any) -> tuple[Tree, Tree]:
        outputs = many(*_batched(axis_size, tuple(args), tuple(has_axis)))
        return outputs, jax.tree.map(lambda _: True, outputs)

    return one


def _batched(axis_size: int, args: Tree, has_axis: Tree) -> Tree:
    """`args` with a leading axis of `axis_size` everywhere, also where `has_axis` says that there is none yet."""

    def leading(value: jax.Array, has_axis: bool) -> jax.Array:
        return value if has_axis else jnp.broadcast_to(value, (axis_size, *jnp.shape(value)))

    return jax.tree.map(leading, args, has_axis)
