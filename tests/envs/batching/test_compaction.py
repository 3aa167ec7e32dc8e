"""What is computed only where a flag holds equals the plain computation there, and leaves everything else alone."""

import jax
import jax.numpy as jnp
import numpy as np

from envs.batching.compaction import ACCELERATOR_CHUNKS, compacted, map_active


def test_the_active_are_computed_and_the_rest_is_kept() -> None:
    square = compacted(lambda inputs: {"sum": inputs[0] + jnp.sum(inputs[1] ** 2, axis=0)}, chunk=4)
    active = jax.random.bernoulli(jax.random.PRNGKey(0), 0.4, (3, 11))
    scalars, vectors = jnp.arange(33.0).reshape(3, 11), jax.random.normal(jax.random.PRNGKey(1), (3, 11, 2))
    idle = {"sum": -jnp.ones((3, 11))}
    found = jax.jit(jax.vmap(jax.vmap(square)))(active, (scalars, vectors), idle)["sum"]
    expected = jnp.where(active, scalars + jnp.sum(vectors**2, axis=-1), -1.0)
    assert 0 < int(active.sum()) < 33
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_single_item_needs_no_batch() -> None:
    successor = compacted(lambda value: value + 1, chunk=8)
    assert float(successor(jnp.array(True), jnp.array(2.0), jnp.array(0.0))) == 3.0
    assert float(successor(jnp.array(False), jnp.array(2.0), jnp.array(0.0))) == 0.0


def test_an_accelerator_takes_more_at_a_time(both) -> None:
    sizes = []

    def compute(inputs: jax.Array) -> jax.Array:
        sizes.append(inputs.shape[-1])
        return inputs * 2

    active = jax.random.bernoulli(jax.random.PRNGKey(0), 0.3, (100,))
    both(jax.vmap(compacted(compute, chunk=2)), active, jnp.arange(100.0), -jnp.ones(100))
    assert sizes == [2, -(-100 // ACCELERATOR_CHUNKS)]


def test_chunks_run_until_no_active_item_is_left() -> None:
    shapes = []

    def compute(inputs: jax.Array) -> jax.Array:
        shapes.append(inputs.shape)
        return jnp.sum(inputs, axis=1)

    inputs, idle = jnp.arange(26.0).reshape(13, 2), -jnp.ones(13)
    active = jnp.arange(13) % 3 != 1  # nine, in chunks of four
    found = jax.jit(lambda active: map_active(compute, active, inputs, idle, size=4))(active)
    np.testing.assert_array_equal(found, np.where(active, inputs.sum(1), -1.0))
    assert shapes == [(4, 2)]
    np.testing.assert_array_equal(map_active(compute, jnp.zeros(13, bool), inputs, idle, size=99), idle)
