"""Trees of arrays as orbax stores them: counters as dicts, nothing without elements, a checksum for each array."""

import zlib
from typing import Any

import jax
import numpy as np

from cvpo_jax.algorithm.running_statistics import UInt64


class DamagedError(ValueError):
    """What was read is not what was written; the message says what."""


def plain(tree: Any) -> Any:
    """`tree` with counters as dicts.

    Brax's own type makes JAX's arrays of numpy's, which orbax refuses to write where several processes train together.
    """

    def is_counter(x: Any) -> bool:
        return isinstance(x, UInt64)

    return jax.tree.map(lambda x: {"hi": x.hi, "lo": x.lo} if is_counter(x) else x, tree, is_leaf=is_counter)


def storable(x: Any) -> np.ndarray:
    """`x`, or where it has no elements, which orbax cannot write, one that stands for it."""
    x = np.asarray(x)
    return x if x.size else np.zeros(1, x.dtype)


def stored_shape(x: Any) -> jax.ShapeDtypeStruct:
    """The shape under which an array like `x` is stored."""
    return jax.ShapeDtypeStruct(x.shape if x.size else (1,), x.dtype)


def fitted(template: Any, found: Any) -> Any:
    """`found` in the structure of `template`; raises ValueError where a shape differs: orbax returns what is stored."""

    def check(path: tuple, wanted: Any, x: Any) -> Any:
        if x.shape != stored_shape(wanted).shape:
            raise ValueError(f"{jax.tree_util.keystr(path)} has shape {x.shape}, not {wanted.shape}")
        return x if wanted.size else np.zeros(wanted.shape, wanted.dtype)

    checked = jax.tree_util.tree_map_with_path(check, plain(template), found)
    return jax.tree.unflatten(jax.tree.structure(template), jax.tree.leaves(checked))


def checksums(item: str, tree: Any) -> dict[str, int]:
    """The checksum of every array of an item of a checkpoint, by its path."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {f"{item}{jax.tree_util.keystr(path)}": checksum(np.asarray(x)) for path, x in leaves}


def require_same(written: dict[str, int], found: dict[str, int]) -> None:
    """Raise DamagedError where an array that was found is not the one that was written."""
    for name, value in found.items():
        if written.get(name) != value:
            raise DamagedError(f"{name} is not what was written")


def checksum(x: np.ndarray) -> int:
    """CRC-32 of an array's type, shape and bytes."""
    head = zlib.crc32(f"{x.dtype}{x.shape}".encode())
    return zlib.crc32(np.ascontiguousarray(x).reshape(-1).view(np.uint8).data, head)
