"""States of other people's JAX environments: what types their arrays have, and flat observations."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from envs.adapters.errors import picture_refused


class Layout(NamedTuple):
    """The tree of a state and the types of its leaves; for keys of random numbers the name of their generator."""

    structure: Any
    types: list[Any]

    def stored(self, state: Any) -> Any:
        """`state` with these types: a reset that says 0 and a step that says 0.5 then have one.

        Keys become plain numbers, which can be saved and copied to the host.
        """
        return self._mapped(state, lambda leaf, kind: jnp.asarray(leaf, kind), lambda key, _: jax.random.key_data(key))

    def opened(self, state: Any) -> Any:
        """A stored state as the environment knows it."""
        return self._mapped(state, lambda leaf, _: leaf, lambda data, name: jax.random.wrap_key_data(data, impl=name))

    def _mapped(self, state: Any, of_numbers: Callable[..., Any], of_keys: Callable[..., Any]) -> Any:
        pairs = zip(jax.tree.leaves(state), self.types, strict=True)
        leaves = [of_keys(leaf, kind) if isinstance(kind, str) else of_numbers(leaf, kind) for leaf, kind in pairs]
        return jax.tree.unflatten(self.structure, leaves)


def agreed(start: Any, stepped: Any, name: str) -> Layout:
    """The layout of both states, which may differ in their numbers' types only; else raises ValueError in one line."""
    before, after = (dict(jax.tree_util.tree_leaves_with_path(state)) for state in (start, stepped))
    for path in [*before, *after]:
        shapes = [_shape(leaves.get(path)) for leaves in (before, after)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"{name}: reset returns state{jax.tree_util.keystr(path)} as {shapes[0]}, step as {shapes[1]}: "
                "return the same arrays from both, so that steps can be compiled into a loop"
            )
    return Layout(jax.tree.structure(start), [_common(before[path], after[path]) for path in before])


def _shape(leaf: Any) -> str:
    return "nothing" if leaf is None else f"an array of shape {leaf.shape}"


def _common(first: Any, second: Any) -> Any:
    """The type that holds the numbers of both leaves, or the name of a key's generator."""
    if jnp.issubdtype(first.dtype, jax.dtypes.prng_key):
        return str(jax.random.key_impl(jnp.empty((), first.dtype)))
    return jnp.promote_types(first.dtype, second.dtype)


def flat(observation: Any) -> jax.Array:
    """The vector `[O]` (float32) of an observation, the entries of dictionaries in the order of their names."""
    return jnp.concatenate([jnp.ravel(leaf).astype(jnp.float32) for leaf in jax.tree.leaves(observation)])


def refuse_pictures(observation: Any, name: str) -> None:
    """Raise ValueError if one of the arrays is a picture."""
    for leaf in jax.tree.leaves(observation):
        if len(leaf.shape) >= 3 or (len(leaf.shape) == 2 and leaf.dtype == np.uint8):
            raise picture_refused(name, leaf.shape)
