"""Checkpoints of the whole run by orbax: the latest ones and the best.

A checkpoint holds the training state (one replica), the collectors of all devices (environments, replay, keys) and the
seconds trained, so that a resumed run continues bit for bit as if it had never stopped. Beside them lies a checksum of
every array, since a file system may return other bytes than were written, and orbax does not notice.
"""

import errno
import json
import math
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint import CheckpointManager, checkpoint_managers

from cvpo_jax.algorithm.state import TrainState
from cvpo_jax.config.names import metric_name
from cvpo_jax.experience.rollout import CollectorState
from cvpo_jax.runs.progress import Progress
from cvpo_jax.runs.quiet import quiet_checkpoints
from cvpo_jax.runs.stored import checksums, fitted, plain, require_same, storable, stored_shape

KEEP_LATEST = 2

Which = int | Literal["best"] | None
"""A checkpoint: the one at a step, the best by `score`, or the latest."""


class CheckpointError(RuntimeError):
    """A checkpoint that is missing or cannot be read; the message names the folder and the remedy."""


class Checkpoint(NamedTuple):
    """All that a run resumes from."""

    state: TrainState  # one replica
    collector: CollectorState  # leading axis D
    seconds: float  # of training so far


@contextmanager
def open_checkpoints(run_dir: Path, *, writing: bool = False) -> Iterator[CheckpointManager]:
    """The checkpoints of a run directory; nothing is changed there unless it is for `writing`.

    Raises CheckpointError where there are none to read, and at the end where the last one could not be written.
    """
    quiet_checkpoints()
    folder = (Path(run_dir) / "checkpoints").absolute()
    if writing:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob("*.orbax-checkpoint-tmp*"):  # by a run that was killed in the middle
            shutil.rmtree(left, ignore_errors=True)
    elif not folder.is_dir():
        raise CheckpointError(_none_yet(folder))
    try:
        manager = CheckpointManager(folder, options=_options(writing))
    except Exception as error:  # of many kinds, all from reading scores
        raise CheckpointError(
            f"the score of checkpoint {_without_score(folder)} is damaged ({_reason(error)}): delete that folder"
        ) from error
    try:
        yield manager
        with _telling(manager):
            manager.wait_until_finished()
    finally:
        # What went wrong in the background has been told.
        with suppress(Exception):
            manager.close()


def _options(writing: bool) -> ocp.CheckpointManagerOptions:
    # `best_fn` with `max_to_keep` alone would drop the latest checkpoint whenever an older one is better.
    policy = checkpoint_managers.AnyPreservationPolicy(
        [
            checkpoint_managers.LatestN(KEEP_LATEST),
            checkpoint_managers.BestN(get_metric_fn=_score, n=1),
        ]
    )
    # Of several processes that train together, one writes and each reads by itself: they must not wait for each other.
    process = jax.process_index()
    alone = ocp.options.MultiprocessingOptions(
        primary_host=process, active_processes={process}, barrier_sync_key_prefix=f"process{process}"
    )
    return ocp.CheckpointManagerOptions(
        preservation_policy=policy,
        best_fn=_score,  # without it scores would not be written, and a resumed run would not know its best
        enable_async_checkpointing=True,
        lightweight_initialize=not writing,  # leaves the scores, which only decide what is kept
        multiprocessing_options=alone if jax.process_count() > 1 else ocp.options.MultiprocessingOptions(),
        create=False,
    )


def score(metrics: dict[str, float], limits: tuple[float, ...]) -> float:
    """What makes a checkpoint the best: return among those that keep every limit, else the smallest excess of cost.

    With several limits in one training the return is the mean over them, and each is kept by its own episodes.
    """
    names = [f"{metric_name('cost', index, len(limits))}_mean" for index in range(len(limits))]
    excess = sum(max(0.0, metrics[name] - limit) for name, limit in zip(names, limits, strict=True))
    return metrics["return_mean"] if excess == 0 else -1e6 - excess


def save(manager: CheckpointManager, step: int, content: Checkpoint, score: float) -> None:
    """Write a checkpoint of host copies in the background; raises CheckpointError where the one before it failed."""
    state, collector = jax.tree.map(storable, jax.device_get(plain((content.state, content.collector))))
    progress = Progress(content.seconds, score, checksums("state", state) | checksums("collector", collector))
    items = ocp.args.Composite(
        state=ocp.args.StandardSave(state),
        collector=ocp.args.StandardSave(collector),
        progress=ocp.args.JsonSave(progress.to_json()),
    )
    with _telling(manager):
        manager.save(step, args=items, metrics={"score": score}, force=True)


def wait(manager: CheckpointManager) -> None:
    """Wait until everything is written; raises CheckpointError where it cannot be."""
    with _telling(manager):
        manager.wait_until_finished()


def restore(
    manager: CheckpointManager, state: TrainState, collector: CollectorState, step: int | None = None
) -> Checkpoint:
    """Read the latest checkpoint, or the one at `step`, into the shapes of `state` (one replica) and `collector`."""
    items, progress = _read(manager, step, {"state": state, "collector": collector})
    return Checkpoint(items["state"], items["collector"], progress.seconds)


def restore_state(manager: CheckpointManager, state: TrainState, step: Which = None) -> TrainState:
    """Read only the training state, of the latest checkpoint, of the best or of the one at `step`."""
    return _read(manager, step, {"state": state})[0]["state"]


def _score(metrics: dict[str, float]) -> float:
    """What orbax compares checkpoints by."""
    return metrics.get("score", -math.inf)


def _without_score(folder: Path) -> Path:
    """The checkpoint in `folder` whose score cannot be read."""
    for path in sorted(folder.glob("*/metrics/metrics")):
        try:
            json.loads(path.read_bytes())
        except ValueError:
            return path.parents[1]
    return folder


def _read(manager: CheckpointManager, which: Which, templates: dict[str, Any]) -> tuple[dict[str, Any], Progress]:
    """The items of a checkpoint in the shapes of `templates`, as they were written; raises CheckpointError."""
    kept = sorted(manager.all_steps())
    if not kept:
        raise CheckpointError(_none_yet(manager.directory))
    step = _best(manager, kept) if which == "best" else kept[-1] if which is None else which
    if step not in kept:
        raise CheckpointError(f"--step is {step}, but {manager.directory} holds {', '.join(map(str, kept))}")
    with _reading(manager, step):
        progress = _progress(manager, step)
        items = {
            name: ocp.args.StandardRestore(jax.tree.map(stored_shape, plain(tree))) for name, tree in templates.items()
        }
        stored = dict(manager.restore(step, args=ocp.args.Composite(**items)).items())
        for name in templates:
            require_same(progress.checksums, checksums(name, stored[name]))
    try:
        return {name: fitted(tree, stored[name]) for name, tree in templates.items()}, progress
    except ValueError as error:
        raise CheckpointError(
            f"checkpoint {manager.directory / str(step)} is of another environment or network ({error}): "
            "resume under the options and the version that made it, or start a new run"
        ) from error


def _best(manager: CheckpointManager, kept: Sequence[int]) -> int:
    """The step with the highest score, and of equals the latest; the scores are those that have a checksum."""
    scores = {}
    for step in kept:
        with _reading(manager, step):
            scores[step] = _progress(manager, step).score
    return max(kept, key=lambda step: (scores[step], step))


def _progress(manager: CheckpointManager, step: int) -> Progress:
    stored = manager.restore(step, args=ocp.args.Composite(progress=ocp.args.JsonRestore()))
    return Progress.from_json(stored["progress"])


@contextmanager
def _reading(manager: CheckpointManager, step: int) -> Iterator[None]:
    """Raise CheckpointError with the remedy where the checkpoint at `step` cannot be read."""
    try:
        yield
    except Exception as error:  # orbax raises many kinds; each means that this checkpoint cannot be used
        older = [kept for kept in sorted(manager.all_steps()) if kept < step]
        remedy = f"; delete that folder to fall back to checkpoint {older[-1]}" if older else "; no older one is left"
        raise CheckpointError(
            f"checkpoint {manager.directory / str(step)} is damaged ({_reason(error)}){remedy}"
        ) from error


@contextmanager
def _telling(manager: CheckpointManager) -> Iterator[None]:
    """Raise CheckpointError where a checkpoint cannot be written: the disk is full, or not there any more."""
    try:
        yield
    except Exception as error:  # of many kinds, some of them from threads
        whole = sorted(int(path.name) for path in Path(manager.directory).glob("*") if path.name.isdigit())
        last = f"the latest whole one is {whole[-1]}; then --resume" if whole else "there is none yet; then start again"
        failed = f"a checkpoint could not be written to {manager.directory} ({_reason(error)})"
        raise CheckpointError(f"{failed}: make room or mend the disk; {last}") from error


def _reason(error: Exception) -> str:
    """An error in a few words: those of the operating system, if they are in there."""
    text = str(error)
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO, errno.EFBIG):
        if os.strerror(number) in text:
            return os.strerror(number)
    return text.splitlines()[0][:200] if text else type(error).__name__


def _none_yet(folder: Path) -> str:
    return f"{folder} holds no checkpoint: the run stopped before its first; start it again with the same --run_dir"
