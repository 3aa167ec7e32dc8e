"""Seconds and rates under a clock that is set by hand."""

import math

import pytest

from cvpo_jax.training import timer
from cvpo_jax.training.timer import Timer


@pytest.fixture
def tick(monkeypatch):
    """Return a function that lets seconds pass."""
    now = [100.0]
    monkeypatch.setattr(timer.time, "perf_counter", lambda: now[0])

    def advance(seconds):
        now[0] += seconds

    return advance


def test_the_first_epoch_counts_as_training_but_not_for_the_speed(tick):
    timer = Timer(30.0)
    for seconds in (50.0, 2.0, 3.0):
        with timer.epoch():
            tick(seconds)
        tick(7.0)  # an evaluation
        if timer.seconds == 80.0:
            assert math.isnan(timer.per_second(1000)), "nothing but the compilation was timed"
    assert timer.seconds == 85.0
    assert timer.per_second(1000) == pytest.approx(2 * 1000 / 5.0)


def test_an_epoch_that_fails_is_not_counted(tick):
    timer = Timer()
    with pytest.raises(RuntimeError), timer.epoch():
        tick(5.0)
        raise RuntimeError
    assert timer.seconds == 0.0
