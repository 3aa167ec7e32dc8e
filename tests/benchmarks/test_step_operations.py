"""Operations of traced programs, against counts by hand."""

import runpy

import jax
import jax.numpy as jnp
import pytest
from paths import ROOT

operations = runpy.run_path(str(ROOT / "benchmarks" / "step_operations.py"))["operations"]
A, B = jnp.zeros((3, 4)), jnp.zeros((4, 5))


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda: A + A, 12),
        (lambda: A @ B, 2 * 3 * 4 * 5),
        (lambda: jnp.broadcast_to(A[:, :1], (3, 4)), 0),
        (lambda: jax.lax.scan(lambda x, _: (x * 2, None), A, None, length=7)[0], 7 * 12),
        (lambda: jax.lax.cond(A[0, 0] > 0, lambda: A * 2 * 2, lambda: A + 1), 1 + 24),
        (lambda: jax.jit(jax.vmap(lambda row: row @ B))(A), 2 * 3 * 4 * 5),
    ],
)
def test_operations_match_counts_by_hand(function, expected: int) -> None:
    assert operations(jax.make_jaxpr(function)().jaxpr) == expected
