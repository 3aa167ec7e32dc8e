"""Rotations in the plane, with components first or last."""

import jax.numpy as jnp
import numpy as np

from envs.physics.linalg import rotate


def test_vectors_turn_counterclockwise_along_either_axis() -> None:
    vectors, angles = jnp.array([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]), jnp.array([np.pi / 2, np.pi / 2, np.pi])
    expected = [[0.0, 1.0], [-2.0, 0.0], [-1.0, -1.0]]
    np.testing.assert_allclose(rotate(vectors, angles, axis=-1), expected, atol=1e-6)
    np.testing.assert_allclose(rotate(vectors.T, angles), np.transpose(expected), atol=1e-6)
