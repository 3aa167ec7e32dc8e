"""The comparison of what runs on a CPU with what runs on an accelerator."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
import pytest

from envs.batching import control_flow


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run a function as for a CPU and as for an accelerator, and compare what it returns."""

    def compare(function: Callable[..., Any], *arguments: Any, tolerance: float = 0.0) -> None:
        assert not control_flow.on_accelerator()
        expected = jax.jit(function)(*arguments)
        monkeypatch.setattr(jax, "default_backend", lambda: "tpu")
        assert control_flow.on_accelerator() and not control_flow.on_gpu()
        found = jax.jit(partial(function))(*arguments)
        monkeypatch.undo()
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=tolerance), found, expected)

    return compare
