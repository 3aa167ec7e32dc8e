"""States of other people's JAX environments: what types their arrays have, and flat observations."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from envs.adapters.errors import picture_refused


class Layout(NamedTuple):
    """The tree of a state and the types of its leaves; None for the keys of random numbers, which stay as they are."""

    structure: Any
    dtypes: list[Any]

    def imposed_on(self, state: Any) -> Any:
        """`state` with these types: a reset that says 0 and a step that says 0.5 then have one."""
        leaves = jax.tree.leaves(state)
        pairs = zip(leaves, self.dtypes, strict=True)
        typed = [leaf if dtype is None else jnp.asarray(leaf, dtype) for leaf, dtype in pairs]
        return jax.tree.unflatten(self.structure, typed)


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
    dtypes = [_common(before[path].dtype, after[path].dtype) for path in before]
    return Layout(jax.tree.structure(start), dtypes)


def _shape(leaf: Any) -> str:
    return "nothing" if leaf is None else f"an array of shape {leaf.shape}"


def _common(first: Any, second: Any) -> Any:
    if jnp.issubdtype(first, jax.dtypes.prng_key):
        return None
    return jnp.promote_types(first, second)


def flat(observation: Any) -> jax.Array:
    """The vector `[O]` (float32) of an observation, the entries of dictionaries in the order of their names."""
    return jnp.concatenate([jnp.ravel(leaf).astype(jnp.float32) for leaf in jax.tree.leaves(observation)])


def refuse_pictures(observation: Any, name: str) -> None:
    """Raise ValueError if one of the arrays is a picture."""
    for leaf in jax.tree.leaves(observation):
        if len(leaf.shape) >= 3 or (len(leaf.shape) == 2 and leaf.dtype == np.uint8):
            raise picture_refused(name, leaf.shape)
