"""What an accelerator must do as a CPU does: `python -m pytest -m gpu`. On a CPU alone these tests skip."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from learning import make_batch, make_state
from newton_problems import problems
from recordings import RECORDINGS, below

from cvpo_jax import cli, run, update_step
from cvpo_jax.runs.metrics import read_metrics
from cvpo_jax.runtime import memory
from envs.parity.compare import compare
from envs.physics.newton import minimize

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


@pytest.mark.parametrize(("size", "contacts"), [(3, 2), (9, 10), (15, 20), (23, 30)])
def test_newtons_method_in_a_kernel_and_in_operations(size: int, contacts: int, monkeypatch) -> None:
    problem = problems(contacts, size, 70)
    start = jnp.zeros((size, 70))
    found = jax.jit(partial(minimize, start=start, iterations=20))(problem)
    monkeypatch.setattr(jax, "default_backend", lambda: "tpu")
    expected = jax.jit(partial(minimize, start=start, iterations=20))(problem)
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_the_port_follows_the_recordings() -> None:
    """Each step of a vase pushed, buttons and gremlins touched, within the bounds asked for in single precision."""
    vase, button = compare(RECORDINGS / "PointGoal1.npz"), compare(RECORDINGS / "PointButton1.npz")
    for result in (vase, button):
        below(result, "free", "max", xy=2e-6, yaw=2e-5, velocity=2e-4, yaw_rate=1e-2)
        below(result, "contact", "median", xy=5e-6)
        below(result, "contact", "p90", xy=5e-5)
        below(result, "contact", "max", xy=3e-3)
        assert result["mismatches"]["cost"] == 0


def test_a_training_runs(tiny_experiment, tmp_path) -> None:
    for products in ("float32", "bfloat16"):
        run_dir = tmp_path / products
        arguments = [str(tiny_experiment), "--run_dir", str(run_dir), "--algo.matmul_dtype", products]
        assert cli.main(run.command, arguments) == 0
        rows = read_metrics(run_dir)
        assert len(rows) == 4 and all(math.isfinite(row["critic/loss"]) for row in rows)
