"""Which checkpoints are kept, which is the best, and what is said where one is missing."""

import shutil

import jax.numpy as jnp
import pytest

from cvpo_jax.runs import checkpoint
from cvpo_jax.runs.checkpoint import Checkpoint, CheckpointError


def test_the_latest_two_and_the_best_are_kept(tmp_path):
    with checkpoint.open_checkpoints(tmp_path) as manager:
        for step, score in enumerate([1.0, 9.0, 2.0, 3.0, 0.0], start=1):
            content = Checkpoint({"x": jnp.full(3, step)}, {"y": jnp.zeros(2)}, 10.0 * step)
            checkpoint.save(manager, step, content, score)
        manager.wait_until_finished()
        assert sorted(manager.all_steps()) == [2, 4, 5]
        latest = checkpoint.restore(manager, {"x": jnp.zeros(3, jnp.int32)}, {"y": jnp.ones(2)})
        assert latest.state["x"].tolist() == [5, 5, 5]
        assert latest.collector["y"].tolist() == [0, 0]
        assert latest.seconds == 50.0
        assert checkpoint.restore_state(manager, {"x": jnp.zeros(3, jnp.int32)}, 2)["x"].tolist() == [2, 2, 2]
        assert checkpoint.restore_state(manager, {"x": jnp.zeros(3, jnp.int32)}, "best")["x"].tolist() == [2, 2, 2]
    with checkpoint.open_checkpoints(tmp_path) as manager:  # as a resumed run does
        for step, score in ((6, 8.0), (7, 0.0)):
            checkpoint.save(manager, step, Checkpoint({"x": jnp.full(3, step)}, {"y": jnp.zeros(2)}, 60.0), score)
        manager.wait_until_finished()
        assert sorted(manager.all_steps()) == [2, 6, 7]
        checkpoint.save(manager, 8, Checkpoint({"x": jnp.full(3, 8)}, {"y": jnp.zeros(2)}, 80.0), 10.0)
        manager.wait_until_finished()
        assert sorted(manager.all_steps()) == [7, 8]
        assert checkpoint.restore_state(manager, {"x": jnp.zeros(3, jnp.int32)}, "best")["x"].tolist() == [8, 8, 8]


def test_the_best_of_checkpoints_without_scores_is_not_guessed(tmp_path):
    with checkpoint.open_checkpoints(tmp_path) as manager:
        checkpoint.save(manager, 1, Checkpoint({"x": jnp.ones(3)}, {"y": jnp.zeros(1)}, 0.0), 5.0)
        manager.wait_until_finished()
    shutil.rmtree(tmp_path / "checkpoints" / "1" / "metrics")  # as versions wrote it that kept no scores
    with (
        checkpoint.open_checkpoints(tmp_path) as manager,
        pytest.raises(CheckpointError, match=r"holds no scores.*name a --step"),
    ):
        checkpoint.restore_state(manager, {"x": jnp.zeros(3)}, "best")


def test_a_checkpoint_that_is_not_there_or_has_other_shapes_is_named(tmp_path):
    with checkpoint.open_checkpoints(tmp_path) as manager:
        with pytest.raises(CheckpointError, match="holds no checkpoint"):
            checkpoint.restore_state(manager, {"x": jnp.zeros(3)}, "best")
        checkpoint.save(manager, 7, Checkpoint({"x": jnp.ones(3)}, {"y": jnp.zeros(1)}, 0.0), 0.0)
        manager.wait_until_finished()
        with pytest.raises(CheckpointError, match=r"--step is 8.*holds 7"):
            checkpoint.restore_state(manager, {"x": jnp.zeros(3)}, 8)
        with pytest.raises(CheckpointError, match=r"checkpoint 7 .*delete that folder"):
            checkpoint.restore_state(manager, {"x": jnp.zeros(4)})


def test_arrays_without_elements_come_back(tmp_path):
    """Such as the bodies of a task that has none, which orbax refuses to write."""
    collector = {"none": jnp.zeros((2, 0, 3)), "some": jnp.arange(4.0)}
    with checkpoint.open_checkpoints(tmp_path) as manager:
        checkpoint.save(manager, 1, Checkpoint({"x": jnp.ones(3)}, collector, 0.0), 0.0)
        manager.wait_until_finished()
        restored = checkpoint.restore(manager, {"x": jnp.ones(3)}, collector).collector
    assert restored["none"].shape == (2, 0, 3)
    assert restored["some"].tolist() == [0, 1, 2, 3]


def test_the_best_earns_most_within_the_limits_and_else_exceeds_them_least():
    within = checkpoint.score({"return_mean": 3.0, "cost_mean": 25.0}, (25.0,))
    poorer = checkpoint.score({"return_mean": -50.0, "cost_mean": 0.0}, (25.0,))
    slightly_over = checkpoint.score({"return_mean": 30.0, "cost_mean": 26.0}, (25.0,))
    far_over = checkpoint.score({"return_mean": 40.0, "cost_mean": 60.0}, (25.0,))
    assert within > poorer > slightly_over > far_over
    two = {"return_mean": 3.0, "cost_0_mean": 1.0, "cost_1_mean": 6.0}
    assert checkpoint.score(two, (2.0, 6.0)) == 3.0
    assert checkpoint.score(two, (2.0, 5.0)) < 0
