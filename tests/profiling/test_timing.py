"""Compile times by the clock and of the processor."""

import time

import jax
import jax.numpy as jnp

from cvpo_jax.profiling.timing import Window, measure


def test_waiting_counts_by_the_clock_but_not_for_the_processor():
    def traced(x):
        time.sleep(0.5)
        return (x + 1,)

    result, _ = measure("x", "calls/s", 1, jax.jit(traced), (jnp.zeros(()),), Window(count=1, seconds=0.0))
    summary = result.summary()
    assert 0 < summary["compile_processor_seconds"] < summary["compile_seconds"] - 0.4
