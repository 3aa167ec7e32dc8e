"""Checkpoints of the whole run by orbax: the latest ones and the best.

A checkpoint holds the training state (one replica) and the collections of all devices (environments, replay, keys), so
that a resumed run goes on bit for bit as if it had never stopped.
"""

from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint import CheckpointManager, checkpoint_managers

from cvpo_jax.types import Collection, TrainState

KEEP_LATEST = 2


class CheckpointError(RuntimeError):
    """A checkpoint that is missing or cannot be read; the message names the folder and the remedy."""


def open_checkpoints(run_dir: Path) -> CheckpointManager:
    """The checkpoints of a run directory, which is made where it is missing."""
    # `best_fn` with `max_to_keep` alone would drop the latest checkpoint whenever an older one is better.
    policy = checkpoint_managers.AnyPreservationPolicy(
        [
            checkpoint_managers.LatestN(KEEP_LATEST),
            checkpoint_managers.BestN(get_metric_fn=lambda metrics: metrics["score"], n=1),
        ]
    )
    options = ocp.CheckpointManagerOptions(preservation_policy=policy, enable_async_checkpointing=True)
    return CheckpointManager((run_dir / "checkpoints").absolute(), options=options)


def score(metrics: dict[str, float], limits: tuple[float, ...]) -> float:
    """What makes a checkpoint the best: return among those that keep every limit, else the least excess of cost."""
    names = ["cost_mean"] if len(limits) == 1 else [f"cost_{index}_mean" for index in range(len(limits))]
    excess = sum(max(0.0, metrics[name] - limit) for name, limit in zip(names, limits, strict=True))
    return metrics["return_mean"] if excess == 0 else -1e6 - excess


def save(
    manager: CheckpointManager, step: int, state: TrainState, collection: Collection, metrics: dict[str, Any]
) -> None:
    """Write a checkpoint of host copies in the background; `metrics` needs `score`."""
    state, collection = jax.device_get((state, collection))
    items = ocp.args.Composite(state=ocp.args.StandardSave(state), collection=ocp.args.StandardSave(collection))
    manager.save(step, args=items, metrics={"score": float(metrics["score"])}, force=True)


def restore(
    manager: CheckpointManager, state: TrainState, collection: Collection | None, step: int | None = None
) -> tuple[TrainState, Collection | None]:
    """Read a checkpoint (the latest without `step`) into the structure and shapes of `state` and `collection`."""
    step = manager.latest_step() if step is None else step
    if step is None:
        raise CheckpointError(f"{manager.directory} holds no checkpoint: the run stopped before its first; start anew")
    items = {"state": ocp.args.StandardRestore(_shapes(state))}
    if collection is not None:
        items["collection"] = ocp.args.StandardRestore(_shapes(collection))
    try:
        restored = manager.restore(step, args=ocp.args.Composite(**items))
    except Exception as error:  # orbax raises many kinds; each means that this checkpoint cannot be used
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(
            f"checkpoint {step} in {manager.directory} cannot be read ({reason[:200]}); "
            "delete that folder to fall back to an earlier one"
        ) from error
    return restored["state"], restored["collection"] if collection is not None else None


def _shapes(tree: Any) -> Any:
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), tree)
