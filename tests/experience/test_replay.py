"""The ring buffer on steps whose numbers tell where they come from."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cvpo_jax.experience import replay
from cvpo_jax.experience.replay import Transition

GAMMA = 0.5
NUM_ENVS = 2


def step(time: int, done: float = 0.0, truncation: float = 0.0) -> Transition:
    """Step `time`: observation = [time, environment], reward = time, cost = 100 + time."""
    env = jnp.arange(NUM_ENVS, dtype=jnp.float32)
    ones = jnp.ones(NUM_ENVS)
    return Transition(
        observation=jnp.stack([time * ones, env], -1),
        action=time * ones[:, None],
        reward=time * ones,
        cost=(100 + time) * ones[:, None],
        done=done * ones,
        truncation=truncation * ones,
    )


def filled(times: int, rows: int, done: tuple[int, ...] = (), truncation: tuple[int, ...] = ()) -> replay.Replay:
    buffer = replay.empty(step(0), rows)
    for time in range(times):
        buffer = replay.insert(buffer, step(time, float(time in done), float(time in truncation)))
    return buffer


def draw(buffer: replay.Replay, n_step: int, **options):
    defaults = {"batch_size": 512, "gamma": jnp.float32(GAMMA), "recent_share": 0.0, "recent_rows": 1}
    batch = replay.sample(buffer, jax.random.PRNGKey(0), n_step=n_step, **(defaults | options))
    return jax.tree.map(np.asarray, batch)


def expected_return(first: float, length: int) -> float:
    return sum(GAMMA**i * (first + i) for i in range(length))


def test_n_step_transitions_within_an_episode() -> None:
    batch = draw(filled(10, rows=20), n_step=3)
    start = batch.observation[:, 0]
    assert set(start) == set(range(1, 7))
    assert set(batch.observation[:, 1]) == {0, 1}
    np.testing.assert_allclose(batch.next_observation[:, 0], start + 3)
    np.testing.assert_allclose(batch.next_observation[:, 1], batch.observation[:, 1])
    np.testing.assert_allclose(batch.reward, [expected_return(s, 3) for s in start])
    np.testing.assert_allclose(batch.cost[:, 0], [expected_return(100 + s, 3) for s in start])
    np.testing.assert_allclose(batch.action[:, 0], start)
    np.testing.assert_allclose(batch.discount, GAMMA**3)


def test_a_full_ring_forgets_the_oldest_and_joins_across_its_seam() -> None:
    batch = draw(filled(25, rows=10), n_step=2)
    start = batch.observation[:, 0]
    assert set(start) == set(range(16, 23))
    np.testing.assert_allclose(batch.next_observation[:, 0], start + 2)


def test_a_termination_ends_the_return_without_bootstrap() -> None:
    batch = draw(filled(10, rows=20, done=(4,)), n_step=3)
    for start, reward, discount in zip(batch.observation[:, 0], batch.reward, batch.discount, strict=True):
        length = int(min(3, 5 - start)) if start <= 4 else 3
        assert reward == pytest.approx(expected_return(start, length))
        assert discount == (0 if 2 <= start <= 4 else GAMMA**3)


def test_a_time_limit_is_bootstrapped_from_the_last_stored_state_of_its_episode() -> None:
    """Step 5 is the last of its episode; row 6 is a new episode and must never be seen from before it."""
    batch = draw(filled(12, rows=20, truncation=(5,)), n_step=3)
    for start, after, reward, discount in zip(
        batch.observation[:, 0], batch.next_observation[:, 0], batch.reward, batch.discount, strict=True
    ):
        length = int(min(3, 5 - start)) if start <= 5 else 3
        assert length >= 1
        assert after == start + length
        assert discount == pytest.approx(GAMMA**length)
        assert reward == pytest.approx(expected_return(start, length))
    assert 5 not in set(batch.observation[:, 0])


def test_a_termination_at_the_time_limit_is_a_termination() -> None:
    batch = draw(filled(10, rows=20, done=(4,), truncation=(4,)), n_step=1)
    at_end = batch.observation[:, 0] == 4
    assert at_end.any()
    np.testing.assert_allclose(batch.discount[at_end], 0)
    np.testing.assert_allclose(batch.reward[at_end], 4)


def test_the_share_of_recent_states() -> None:
    batch = draw(filled(100, rows=200), n_step=1, recent_share=0.25, recent_rows=10)
    ages = batch.policy_observation[:, 0]
    assert ages[:128].min() >= 90
    np.testing.assert_allclose(batch.policy_observation[128:], batch.observation[128:])
    assert ages[128:].min() < 30
