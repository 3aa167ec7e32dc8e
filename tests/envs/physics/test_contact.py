"""Which of many possible contacts are kept: the real ones, in their order."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from envs.physics.contact import compress


@pytest.mark.parametrize("slots", [6, 20])
def test_the_first_entries_that_are_real_are_kept(slots: int) -> None:
    generator = np.random.default_rng(0)
    distance, values = generator.normal(size=(24, 5)), generator.normal(size=(24, 3, 5))
    distance[3, 0], distance[:, 1] = 0.0, 1.0  # one just touches; one environment has no contact
    kept, taken = jax.jit(partial(compress, slots=slots))(jnp.asarray(distance), jnp.asarray(values))
    for environment in range(5):
        real = np.flatnonzero(distance[:, environment] <= 0)[:slots]
        assert len(real) < 20
        np.testing.assert_allclose(kept[: len(real), environment], distance[real, environment], rtol=1e-6)
        np.testing.assert_allclose(taken[: len(real), :, environment], values[real, :, environment], rtol=1e-6)
        assert np.all(kept[len(real) :, environment] == 1) and np.all(taken[len(real) :, :, environment] == 0)
