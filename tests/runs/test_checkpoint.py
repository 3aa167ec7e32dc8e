"""Which checkpoints are kept, which is the best, and what is said where one is missing."""

import logging
import random
import re

import jax.numpy as jnp
import pytest
from absl import logging as absl_logging

from cvpo_jax.runs import checkpoint
from cvpo_jax.runs.checkpoint import Checkpoint, CheckpointError


def test_the_latest_two_and_the_best_are_kept(tmp_path):
    with checkpoint.open_checkpoints(tmp_path, writing=True) as manager:
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
    with checkpoint.open_checkpoints(tmp_path, writing=True) as manager:  # as a resumed run does
        for step, score in ((6, 8.0), (7, 0.0)):
            checkpoint.save(manager, step, Checkpoint({"x": jnp.full(3, step)}, {"y": jnp.zeros(2)}, 60.0), score)
        manager.wait_until_finished()
        assert sorted(manager.all_steps()) == [2, 6, 7]
        checkpoint.save(manager, 8, Checkpoint({"x": jnp.full(3, 8)}, {"y": jnp.zeros(2)}, 80.0), 10.0)
        manager.wait_until_finished()
        assert sorted(manager.all_steps()) == [7, 8]
        assert checkpoint.restore_state(manager, {"x": jnp.zeros(3, jnp.int32)}, "best")["x"].tolist() == [8, 8, 8]


def test_a_checkpoint_that_is_not_there_or_has_other_shapes_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="holds no checkpoint"), checkpoint.open_checkpoints(tmp_path):
        pass
    with checkpoint.open_checkpoints(tmp_path, writing=True) as manager:
        with pytest.raises(CheckpointError, match="holds no checkpoint"):
            checkpoint.restore_state(manager, {"x": jnp.zeros(3)}, "best")
        checkpoint.save(manager, 7, Checkpoint({"x": jnp.ones(3)}, {"y": jnp.zeros(1)}, 0.0), 0.0)
        manager.wait_until_finished()
        with pytest.raises(CheckpointError, match=r"--step is 8.*holds 7"):
            checkpoint.restore_state(manager, {"x": jnp.zeros(3)}, 8)
        with pytest.raises(CheckpointError, match=r"7 is of another environment or network \(\['x'\] has shape"):
            checkpoint.restore_state(manager, {"x": jnp.zeros(4)})


def test_arrays_without_elements_come_back(tmp_path):
    """Such as the bodies of a task that has none, which orbax refuses to write."""
    collector = {"none": jnp.zeros((2, 0, 3)), "some": jnp.arange(4.0)}
    with checkpoint.open_checkpoints(tmp_path, writing=True) as manager:
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


def test_every_flipped_bit_and_every_missing_file_is_noticed_or_harmless(tmp_path):
    """In the files of the latest checkpoint; the one before it is offered instead."""
    template = ({"x": jnp.zeros(300, jnp.int32)}, {"y": jnp.zeros((0, 2)), "z": jnp.zeros(700)})
    with checkpoint.open_checkpoints(tmp_path, writing=True) as manager:
        for step in (1, 2):
            content = Checkpoint({"x": jnp.full(300, step)}, {"y": jnp.zeros((0, 2)), "z": jnp.arange(700.0)}, 1.0)
            checkpoint.save(manager, step, content, float(step))
    chance, noticed = random.Random(0), 0
    for path in sorted((tmp_path / "checkpoints" / "2").rglob("*")):
        whole = path.read_bytes() if path.is_file() else b""
        for spoiled in spoil(whole, chance) if whole else ():
            path.unlink() if spoiled is None else path.write_bytes(spoiled)
            try:
                with checkpoint.open_checkpoints(tmp_path) as manager:
                    found = checkpoint.restore(manager, *template)
            except CheckpointError as error:
                assert re.search(
                    r"checkpoint .*2 is damaged \(.*delete that folder to fall back to checkpoint 1", str(error)
                )
                noticed += 1
            else:
                assert (found.state["x"] == 2).all() and (found.collector["z"] == jnp.arange(700)).all()
                assert found.seconds == 1.0
            path.write_bytes(whole)
    assert noticed > 20


def spoil(whole, chance):
    """The bytes of a file cut in half, emptied, with a bit flipped here and there, and None: removed."""
    yield from (whole[: len(whole) // 2], b"", None)
    for _ in range(3):
        flipped = bytearray(whole)
        flipped[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        yield bytes(flipped)


def test_a_score_that_was_changed_does_not_make_a_checkpoint_the_best(tmp_path):
    with checkpoint.open_checkpoints(tmp_path, writing=True) as manager:
        for step in (1, 2):
            checkpoint.save(manager, step, Checkpoint({"x": jnp.full(3, step)}, {"y": jnp.zeros(1)}, 0.0), -step)
    path = tmp_path / "checkpoints" / "2" / "metrics" / "metrics"
    path.write_text('{"score": 9.0}')
    with checkpoint.open_checkpoints(tmp_path) as manager:
        assert checkpoint.restore_state(manager, {"x": jnp.zeros(3, jnp.int32)}, "best")["x"].tolist() == [1, 1, 1]
    path.write_text("{")
    with pytest.raises(CheckpointError, match=r"score of checkpoint .*2 is damaged .*delete that folder"):
        checkpoint.open_checkpoints(tmp_path, writing=True).__enter__()


def test_reading_changes_nothing(tmp_path):
    with checkpoint.open_checkpoints(tmp_path, writing=True) as manager:
        checkpoint.save(manager, 1, Checkpoint({"x": jnp.ones(3)}, {"y": jnp.zeros(1)}, 0.0), 0.0)
    (tmp_path / "checkpoints" / "2.orbax-checkpoint-tmp").mkdir()  # of a run that may be going on

    def everything():
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in tmp_path.rglob("*")}

    before = everything()
    with checkpoint.open_checkpoints(tmp_path) as manager:
        checkpoint.restore_state(manager, {"x": jnp.zeros(3)}, "best")
    assert everything() == before
    with checkpoint.open_checkpoints(tmp_path, writing=True):
        pass
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["1"], "a writer clears what a kill left"


def test_of_orbaxs_messages_neither_errors_nor_a_busy_disk_reach_the_terminal(tmp_path, caplog):
    """Errors become a line of ours, and a disk that is busy for a second is nobody's business."""
    orbax, other = (f"/site-packages/{name}/file.py" for name in ("orbax", "brax"))
    logger = absl_logging.get_absl_logger()
    with checkpoint.open_checkpoints(tmp_path, writing=True):
        for level, path, text in (
            (logging.ERROR, orbax, "failed"),
            (logging.WARNING, orbax, "Waiting for previous save to complete took %f seconds."),
            (logging.WARNING, orbax, "Attempted to create temporary directory %s which already exists."),
            (logging.WARNING, orbax, "another"),
            (logging.ERROR, other, "of another"),
        ):
            logger.handle(logger.makeRecord("absl", level, path, 1, text, (), None))
    assert [record.msg for record in caplog.records] == ["another", "of another"]
