"""What an accelerator must do as a CPU does: `python -m pytest -m gpu`. On a CPU alone these tests skip."""

import jax
import numpy as np
import pytest

from cvpo_jax import memory, update_step
from tests.test_update import make_batch, make_state

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(jax.default_backend() == "cpu", reason="no accelerator here"),
]


def test_an_update_agrees_with_that_of_a_cpu() -> None:
    """Other orders of summation, shorter products and other ways to value the sampled actions: the same update."""
    learned, metrics = update_step(make_state(), make_batch())
    with jax.default_device(jax.devices("cpu")[0]):
        expected, expected_metrics = update_step(make_state(), make_batch())
    for name in ("critics", "actor", "target_critics"):
        pairs = zip(*(jax.tree.leaves(getattr(state, name)) for state in (learned, expected)), strict=True)
        for here, there in pairs:
            # Adam's first step is as long for a gradient near zero, whose sign rounding decides.
            assert np.mean(np.abs(np.asarray(here) - np.asarray(there)) > 1e-3) < 0.02, name
    for name in ("estep/eta", "estep/kl_ratio", "critic/loss"):
        np.testing.assert_allclose(metrics[name], expected_metrics[name], rtol=2e-2, err_msg=name)


def test_a_device_tells_its_peak_memory() -> None:
    held = jax.block_until_ready(jax.numpy.ones(10_000_000))
    peak = memory.peak_device_bytes()
    assert peak is not None and peak >= held.nbytes
