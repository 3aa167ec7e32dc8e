"""The peak of a process follows what it holds."""

import numpy as np

from cvpo_jax.runtime import memory


def test_the_peak_grows_with_what_is_held_and_does_not_fall() -> None:
    before = memory.peak_host_bytes()
    held = np.ones(max(before, 100_000_000) // 8)
    after = memory.peak_host_bytes()
    assert after > 1.3 * before
    del held
    assert memory.peak_host_bytes() >= after


def test_the_peak_is_told_in_one_line() -> None:
    assert memory.describe().startswith("peak memory: ") and " GB on the host" in memory.describe()
