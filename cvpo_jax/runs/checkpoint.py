"""Checkpoints of the whole run by orbax: the latest ones and the best.

A checkpoint holds the training state (one replica), the collectors of all devices (environments, replay, keys) and the
seconds trained, so that a resumed run continues bit for bit as if it had never stopped.
"""

from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint import CheckpointManager, checkpoint_managers

from cvpo_jax.algorithm.running_statistics import UInt64
from cvpo_jax.algorithm.state import TrainState
from cvpo_jax.config.names import metric_name
from cvpo_jax.experience.rollout import CollectorState

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


def open_checkpoints(run_dir: Path) -> CheckpointManager:
    """The checkpoints of a run directory, which is made if it is missing; use as a context manager."""
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
    options = ocp.CheckpointManagerOptions(
        preservation_policy=policy,
        best_fn=_score,  # without it scores would not be written, and a resumed run would not know its best
        enable_async_checkpointing=True,
        multiprocessing_options=alone if jax.process_count() > 1 else ocp.options.MultiprocessingOptions(),
        create=False,
    )
    folder = (Path(run_dir) / "checkpoints").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return CheckpointManager(folder, options=options)


def score(metrics: dict[str, float], limits: tuple[float, ...]) -> float:
    """What makes a checkpoint the best: return among those that keep every limit, else the smallest excess of cost."""
    names = [f"{metric_name('cost', index, len(limits))}_mean" for index in range(len(limits))]
    excess = sum(max(0.0, metrics[name] - limit) for name, limit in zip(names, limits, strict=True))
    return metrics["return_mean"] if excess == 0 else -1e6 - excess


def save(manager: CheckpointManager, step: int, content: Checkpoint, score: float) -> None:
    """Write a checkpoint of host copies in the background."""
    state, collector = jax.tree.map(_storable, jax.device_get(_plain((content.state, content.collector))))
    items = ocp.args.Composite(
        state=ocp.args.StandardSave(state),
        collector=ocp.args.StandardSave(collector),
        progress=ocp.args.JsonSave({"seconds": content.seconds}),
    )
    manager.save(step, args=items, metrics={"score": score}, force=True)


def restore(
    manager: CheckpointManager, state: TrainState, collector: CollectorState, step: int | None = None
) -> Checkpoint:
    """Read the latest checkpoint, or the one at `step`, into the shapes of `state` (one replica) and `collector`."""
    items = _read(manager, step, {"state": state, "collector": collector}, progress=ocp.args.JsonRestore())
    return Checkpoint(items["state"], items["collector"], items["progress"]["seconds"])


def restore_state(manager: CheckpointManager, state: TrainState, step: Which = None) -> TrainState:
    """Read only the training state, of the latest checkpoint, of the best or of the one at `step`."""
    found = manager.best_step() if step == "best" else step
    if step == "best" and found is None and manager.all_steps():
        raise CheckpointError(f"{manager.directory} holds no scores, an earlier version wrote it: name a --step")
    return _read(manager, found, {"state": state})["state"]


def _score(metrics: dict[str, float]) -> float:
    """What orbax compares checkpoints by."""
    return metrics["score"]


def _read(manager: CheckpointManager, step: int | None, templates: dict[str, Any], **others: Any) -> Any:
    kept = sorted(manager.all_steps())
    if not kept:
        raise CheckpointError(
            f"{manager.directory} holds no checkpoint: the run stopped before its first; start a new run"
        )
    step = kept[-1] if step is None else step
    if step not in kept:
        raise CheckpointError(f"--step is {step}, but {manager.directory} holds {', '.join(map(str, kept))}")
    items = {name: ocp.args.StandardRestore(jax.tree.map(_shape, _plain(tree))) for name, tree in templates.items()}
    try:
        restored = dict(manager.restore(step, args=ocp.args.Composite(**items, **others)).items())
        return restored | {name: _checked(tree, restored[name]) for name, tree in templates.items()}
    except Exception as error:  # orbax raises many kinds; each means that this checkpoint cannot be used
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(
            f"checkpoint {step} in {manager.directory} cannot be read ({reason[:200]}); "
            "delete that folder to fall back to an earlier one"
        ) from error


def _plain(tree: Any) -> Any:
    """`tree` with counters as dicts.

    Brax's own type makes JAX's arrays of numpy's, which orbax refuses to write where several processes train together.
    """

    def is_counter(x: Any) -> bool:
        return isinstance(x, UInt64)

    return jax.tree.map(lambda x: {"hi": x.hi, "lo": x.lo} if is_counter(x) else x, tree, is_leaf=is_counter)


def _storable(x: Any) -> np.ndarray:
    """`x`, or where it has no elements, which orbax cannot write, one that stands for it."""
    x = np.asarray(x)
    return x if x.size else np.zeros(1, x.dtype)


def _shape(x: Any) -> jax.ShapeDtypeStruct:
    """The shape under which an array like `x` is stored."""
    return jax.ShapeDtypeStruct(x.shape if x.size else (1,), x.dtype)


def _checked(template: Any, found: Any) -> Any:
    """`found` in the shapes of `template`; raises ValueError where they differ, since orbax returns what is stored."""

    def check(path: tuple, wanted: Any, x: Any) -> Any:
        if x.shape != _shape(wanted).shape:
            raise ValueError(f"{jax.tree_util.keystr(path)} has shape {x.shape}, not {wanted.shape}")
        return x if wanted.size else np.zeros(wanted.shape, wanted.dtype)

    checked = jax.tree_util.tree_map_with_path(check, _plain(template), found)
    return jax.tree.unflatten(jax.tree.structure(template), jax.tree.leaves(checked))
