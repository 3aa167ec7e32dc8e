"""Contact problems for Newton's method."""

from typing import Any

import jax
import jax.numpy as jnp

from envs.physics.newton import Problem


def random_problem(key: jax.Array, contacts: int, size: int) -> Problem:
    keys = jax.random.split(key, 4)
    root = jax.random.normal(keys[0], (size, size))
    return Problem(
        mass=root @ root.T + jnp.eye(size),
        force=jax.random.normal(keys[1], (size,)),
        jacobian=jax.random.normal(keys[2], (contacts, 6, size)),
        offset=jax.random.normal(keys[3], (contacts, 6)),
        stiffness=jnp.full(contacts, 3.0),
        friction=jnp.full((contacts, 5), 0.7),
    )


def problems(contacts: int, size: int, items: int) -> Any:
    keys = jax.random.split(jax.random.PRNGKey(1), items)
    return jax.tree.map(
        lambda leaf: jnp.moveaxis(leaf, 0, -1), jax.vmap(lambda key: random_problem(key, contacts, size))(keys)
    )
