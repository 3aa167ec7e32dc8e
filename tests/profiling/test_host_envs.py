"""The genuine environments are as much faster than the package's own as promised."""

import pytest

from cvpo_jax.profiling import host_envs


@pytest.mark.slow
@pytest.mark.parametrize("task_id", ["SafetyPointGoal1-v0", "SafetyPointButton1-v0"])
def test_steps_and_resets_are_as_much_faster_as_promised(task_id):
    result = host_envs.compare(task_id, num_workers=1, windows=2)
    assert result["ratio"] >= 1.8
    assert result["reset_ratio"] >= 20


def test_the_table_says_both_rates_and_both_ratios():
    # Rates of two windows and of two resets: ours, theirs, in seconds.
    result = host_envs._summary("Task-v0", 2, 1000, [(1.0, 2.0), (2.0, 6.0)], [(0.01, 0.4), (0.01, 0.2)])
    assert host_envs.table(result).splitlines() == [
        "Task-v0, 2 workers, medians of 2 windows:",
        "667 steps/s, the package's own 250: 2.50 times (at least 2.00 in each window)",
        "10.0 ms a reset, the package's own 300: 30 times cheaper",
    ]


def test_a_task_the_package_cannot_step_is_told():
    with pytest.raises(RuntimeError, match='"NoSuchTask-v0"'), host_envs._theirs("NoSuchTask-v0", 1, 1):
        pass
