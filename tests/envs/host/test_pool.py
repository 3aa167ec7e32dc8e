"""Pools of host environments: episodes, seeds, and what happens to workers that raise, die or hang."""

import logging
import os
import signal
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest
from processes import is_running
from toy_host import DIE, EPISODE_LENGTH, HANG, RAISE, SPEC, RareEnv, ToyEnv

from envs.host.pool import HostError, WorkerPool
from envs.host.protocol import episode_seed

NUM_ENVS = 5
SEEDS = np.arange(NUM_ENVS, dtype=np.uint32) + 7


@pytest.fixture
def make_pool():
    pools = []

    def make(once="", **options):
        pools.append(WorkerPool(partial(ToyEnv, str(once)), SPEC, NUM_ENVS, **{"num_workers": 2} | options))
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()


def actions(steps, seed=0):
    return np.random.RandomState(seed).uniform(-1, 1, (steps, NUM_ENVS, 2)).astype(np.float32)


def roll(pool, played):
    """Observations, rewards and truncations of every step, and the observation at the start."""
    pool.reset(SEEDS)
    rows = [pool.arrays.observation.copy()]
    rewards, truncated = [], []
    for action in played:
        pool.step(action)
        rows.append(pool.arrays.observation.copy())
        rewards.append(pool.arrays.reward.copy())
        truncated.append(pool.arrays.truncated.copy())
    return np.array(rows), np.array(rewards), np.array(truncated)


def alone(row, played):
    """What `roll` must show for one environment, computed without a pool."""
    env, episode = ToyEnv(), 0
    rows, rewards = [env.reset(episode_seed(int(SEEDS[row]), 0))], []
    for action in played[:, row]:
        step = env.step(action)
        rewards.append(step.reward)
        episode += step.truncated
        rows.append(env.reset(episode_seed(int(SEEDS[row]), episode)) if step.truncated else step.observation)
    return np.float32(rows), np.float32(rewards)


@pytest.mark.parametrize("num_workers", [1, 2, 5])
def test_whatever_the_workers_episodes_are_those_of_the_environments_alone(make_pool, num_workers):
    played = actions(2 * EPISODE_LENGTH + 2)
    rows, rewards, truncated = roll(make_pool(num_workers=num_workers), played)
    for row in range(NUM_ENVS):
        expected_rows, expected_rewards = alone(row, played)
        np.testing.assert_array_equal(rows[:, row], expected_rows)
        np.testing.assert_array_equal(rewards[:, row], expected_rewards)
    assert truncated.sum(1).tolist() == ([0] * (EPISODE_LENGTH - 1) + [NUM_ENVS]) * 2 + [0, 0]


def test_first_episodes_can_be_cut_and_later_ones_are_whole(make_pool):
    pool, lengths, ends = make_pool(), np.minimum(1 + np.arange(NUM_ENVS), EPISODE_LENGTH), []
    pool.reset(SEEDS, lengths=lengths)
    for action in actions(2 * EPISODE_LENGTH):
        pool.step(action)
        ends.append(pool.arrays.truncated.copy())
    for row, length in enumerate(lengths):
        cuts = 1 + np.flatnonzero(np.array(ends)[:, row])
        assert cuts.tolist() == [length + n * EPISODE_LENGTH for n in range(len(cuts))] and len(cuts) >= 2 - (row > 0)


def test_a_cut_first_episode_is_restored_after_its_worker_died(make_pool):
    pool = make_pool()
    pool.reset(SEEDS, lengths=3)
    for step, action in enumerate(actions(3)):
        if step == 2:
            os.kill(pool.workers[0].pid, signal.SIGKILL)
        pool.step(action)
    assert pool.arrays.truncated.all() and (pool.arrays.elapsed == 0).all() and (pool.arrays.episode == 1).all()


def test_new_episodes_differ_and_a_reset_repeats_them(make_pool):
    pool = make_pool()
    first = roll(pool, actions(2 * EPISODE_LENGTH))
    again = roll(pool, actions(2 * EPISODE_LENGTH))
    np.testing.assert_array_equal(first[0], again[0])
    noise = first[0][[0, EPISODE_LENGTH, 2 * EPISODE_LENGTH], :, 0]
    assert len(np.unique(noise)) == noise.size


@pytest.mark.parametrize(("how", "message"), [(RAISE, "told to raise"), (DIE, "signal 9"), (HANG, "no progress")])
def test_a_failing_environment_begins_a_new_episode_and_no_other_notices(make_pool, tmp_path, caplog, how, message):
    played = actions(EPISODE_LENGTH + 3)
    bad_step, bad_row = 3, 1
    expected_rows, expected_rewards, _ = roll(make_pool(), played)
    played[bad_step, bad_row, 0] = how
    pool = make_pool(tmp_path / "failed", timeout=1.0)
    started = time.monotonic()
    with caplog.at_level(logging.WARNING):
        rows, rewards, truncated = roll(pool, played)
    assert time.monotonic() - started < 15
    others = np.arange(NUM_ENVS) != bad_row
    np.testing.assert_array_equal(rows[:, others], expected_rows[:, others])
    np.testing.assert_array_equal(rewards[:, others], expected_rewards[:, others])
    assert truncated[bad_step, bad_row] and rewards[bad_step, bad_row] == 0
    assert rows[bad_step + 1, bad_row, 1] == 0, "a new episode begins"
    assert rows[bad_step + 2, bad_row, 1] == 1, "and continues"
    assert message in caplog.text
    assert f"environment {bad_row} (episode 0, reset seed {episode_seed(int(SEEDS[bad_row]), 0)}, step {bad_step})" in (
        caplog.text
    )


def test_a_worker_killed_between_steps_costs_nothing(make_pool):
    played = actions(EPISODE_LENGTH + 3)
    expected, _, _ = roll(make_pool(), played)
    pool = make_pool()
    pool.reset(SEEDS)
    for step, action in enumerate(played):
        if step in (2, EPISODE_LENGTH + 1):
            os.kill(pool.workers[1].pid, signal.SIGKILL)
        pool.step(action)
        np.testing.assert_array_equal(pool.arrays.observation, expected[step + 1])


def test_an_environment_that_keeps_failing_ends_the_run_with_its_name(make_pool):
    pool = make_pool(name="Toy")
    played = actions(6)
    played[:, 2, 0] = RAISE
    with pytest.raises(
        HostError, match=r"Toy: environment 2 \(episode 3, reset seed \d+, step 0\) keeps failing: .*\n"
    ):
        roll(pool, played)
    with pytest.raises(HostError, match="closed; make new ones"):
        pool.step(played[0])


def test_environments_that_cannot_be_made_in_workers_end_the_run_in_one_line(tmp_path):
    with pytest.raises(HostError) as error:
        WorkerPool(partial(RareEnv, str(tmp_path / "taken")), SPEC, 4, num_workers=2, name="Rare")
    said = "Rare: environments cannot be made in a worker process: OSError: no license is left for another one"
    assert str(error.value) == said


def test_no_process_survives_its_pool(make_pool):
    pool = make_pool()
    processes = [worker.pid for worker in pool.workers]
    assert all(is_running(process) for process in processes)
    pool.close()
    assert not any(is_running(process) for process in processes)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_process_survives_its_parent(how):
    """Even one that hangs, of a parent that had no time to say good-bye."""
    # A shell that starts the tests in the background has SIGINT ignored, and Python would leave it so.
    code = """if True:
        import signal
        signal.signal(signal.SIGINT, signal.default_int_handler)
        import numpy as np
        from envs.host.pool import WorkerPool
        from toy_host import HANG, SPEC, ToyEnv
        pool = WorkerPool(ToyEnv, SPEC, 4, num_workers=2, timeout=1000.0)
        pool.reset(np.arange(4, dtype=np.uint32))
        print(*(worker.pid for worker in pool.workers), flush=True)
        pool.step(np.full((4, 2), [[HANG, 0], [0, 0], [0, 0], [0, 0]], np.float32))
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=os.getcwd()
    )
    processes = [int(word) for word in parent.stdout.readline().split()]
    assert len(processes) == 2
    time.sleep(0.5)
    parent.send_signal(how)
    assert parent.wait(10) != 0
    deadline = time.monotonic() + 10
    while any(is_running(process) for process in processes) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(is_running(process) for process in processes)
