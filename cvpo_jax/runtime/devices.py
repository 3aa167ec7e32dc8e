"""Everything that knows of devices: the axis of pmap or shard_map, its collectives, replication and sharding.

Everything else is written for one device and takes `axis_name`: AXIS_NAME inside of it, None outside, where the
collectives below are the identity.

Notation: B states over all devices, b = B / D of them here, K sampled actions, D devices.
"""

import os
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from cvpo_jax.config import ConfigError
from cvpo_jax.config.sections import Placement
from cvpo_jax.runtime import distributed

AXIS_NAME = "devices"

Tree = TypeVar("Tree")


def require_devices() -> list[jax.Device]:
    """The devices of this process; raises ConfigError where JAX finds none, or would compute in float64 on them."""
    if jax.config.read("jax_enable_x64"):
        raise ConfigError("JAX_ENABLE_X64 is on, and everything here is made for float32: unset it")
    try:
        return jax.local_devices()
    except (RuntimeError, AssertionError) as error:
        wanted = f"JAX_PLATFORMS is {os.environ['JAX_PLATFORMS']}, but " if os.environ.get("JAX_PLATFORMS") else ""
        reason = str(error).partition("\n")[0].rstrip(".") or "it says no more"
        raise ConfigError(f"{wanted}JAX finds no such device ({reason}): unset it, or --debug shows more") from error


def select(count: int | None) -> list[jax.Device]:
    """The first `count` devices of this process, all of them for None; raises ConfigError where there are fewer.

    Where several processes train together, each uses all of its own.
    """
    available = require_devices()
    if distributed.size() > 1:
        if count not in (None, jax.device_count()):
            raise ConfigError(
                f"--train.devices is {count}, but the {distributed.size()} processes have {jax.device_count()}: "
                "together they use all of them; leave the option out"
            )
        return available
    if count is not None and count > len(available):
        raise ConfigError(
            f"--train.devices is {count}, but {len(available)} are here ({available[0].platform}); "
            "on a CPU, XLA_FLAGS=--xla_force_host_platform_device_count=N makes N"
        )
    return available[:count]


def all_devices(chosen: list[jax.Device]) -> list[jax.Device]:
    """The devices of all processes that train together, where each has selected `chosen`."""
    return chosen if distributed.size() == 1 else jax.devices()


def parallel(
    function: Callable, chosen: list[jax.Device], *, placement: Placement = "pmap", **options: Any
) -> Callable:
    """`function` on each device, under the project's axis name; the leading axis of every argument is D.

    `pmap` and `shard_map` give the same numbers; JAX maintains the former and develops the latter. `options` are those
    of `jax.jit`.
    """
    if placement == "pmap":
        return jax.pmap(function, axis_name=AXIS_NAME, devices=chosen, **options)

    def on_one(*arguments: Any) -> Any:
        return jax.tree.map(lambda x: x[None], function(*jax.tree.map(lambda x: x[0], arguments)))

    axis = PartitionSpec(AXIS_NAME)
    # Not checked: what is equal on all devices is so by computing it from what was gathered, which JAX cannot see.
    everywhere = jax.shard_map(on_one, mesh=_mesh(chosen), in_specs=axis, out_specs=axis, check_vma=False)
    return jax.jit(everywhere, **options)


def replicate(tree: Tree, chosen: list[jax.Device]) -> Tree:
    """A copy for each device: leaves `[...]` become `[D, ...]`."""
    return place(
        jax.tree.map(lambda x: jnp.broadcast_to(x, (len(chosen), *jnp.shape(x))), without_weak_types(tree)), chosen
    )


def without_weak_types(tree: Tree) -> Tree:
    """Arrays without weak types: these would not survive the first call, and the second would compile again."""
    return jax.tree.map(lambda x: jnp.asarray(x, jnp.result_type(x)), tree)


def place(tree: Tree, chosen: list[jax.Device]) -> Tree:
    """Leaves `[D, ...]` laid out as `parallel` returns them, a slice on each device; another layout compiles again."""
    sharding = NamedSharding(_mesh(chosen), PartitionSpec(AXIS_NAME))
    return jax.tree.map(lambda x: jax.device_put(x, sharding), tree)


def _mesh(chosen: list[jax.Device]) -> Mesh:
    return Mesh(np.array(chosen), (AXIS_NAME,))


def first(tree: Tree) -> Tree:
    """The copy on the first device: leaves `[D, ...]` become `[...]`."""
    return jax.tree.map(lambda x: x[0], tree)


def pmean(tree: Tree, axis_name: str | None) -> Tree:
    """The mean over devices of every leaf."""
    return tree if axis_name is None else jax.lax.pmean(tree, axis_name)


def psum(tree: Tree, axis_name: str | None) -> Tree:
    """The sum over devices of every leaf."""
    return tree if axis_name is None else jax.lax.psum(tree, axis_name)


def gather(x: jax.Array, dimension: int, axis_name: str | None) -> jax.Array:
    """The shards of all devices joined along `dimension`: `[.., b, ..]` becomes `[.., B, ..]`."""
    return x if axis_name is None else jax.lax.all_gather(x, axis_name, axis=dimension, tiled=True)


def shard(x: jax.Array, axis_name: str | None) -> jax.Array:
    """This device's share of the leading dimension: `[B, ...]` becomes `[b, ...]`."""
    if axis_name is None:
        return x
    size = x.shape[0] // jax.lax.axis_size(axis_name)
    return jax.lax.dynamic_slice_in_dim(x, jax.lax.axis_index(axis_name) * size, size)


def count(axis_name: str | None) -> int:
    """The number of devices on the axis."""
    return 1 if axis_name is None else jax.lax.axis_size(axis_name)


def all_equal(tree: Tree) -> bool:
    """Whether the copies on all devices are bit-identical; leaves `[D, ...]`."""
    return all(bool(jnp.all(x == x[:1])) for x in jax.tree.leaves(tree))
