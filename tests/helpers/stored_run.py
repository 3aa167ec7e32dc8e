"""What a run has stored, to compare runs bit for bit."""

import jax
import numpy as np

from cvpo_jax.runs import checkpoint
from cvpo_jax.runs.directory import load_config
from cvpo_jax.runs.metrics import read_metrics
from cvpo_jax.training.trainer import build

MEASURED = {"seconds", "steps_per_second", "updates_per_second"}


def everything(run_dir, trainer=None):
    """All arrays of the latest checkpoint, by path."""
    trainer = trainer or build(load_config(run_dir))
    state, collector = jax.eval_shape(trainer.start, jax.random.PRNGKey(0))
    one = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), state)
    with checkpoint.open_checkpoints(run_dir) as manager:
        stored = checkpoint.restore(manager, one, collector)
    leaves = jax.tree_util.tree_leaves_with_path((stored.state, stored.collector))
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}


def differences(wanted_dir, found_dir, trainer=None):
    """Names of the arrays of the latest checkpoints, and of the evaluations' numbers, that are not the same bits."""
    wanted, found = everything(wanted_dir, trainer), everything(found_dir, trainer)
    assert wanted.keys() == found.keys()
    names = [name for name in wanted if wanted[name].tobytes() != found[name].tobytes()]
    rows = zip(read_metrics(wanted_dir), read_metrics(found_dir), strict=True)
    for one, other in rows:
        assert one.keys() == other.keys()
        different = [name for name in one if not np.array_equal(one[name], other[name], equal_nan=True)]
        names += [f"{name} at step {one['step']:.0f}" for name in different if name not in MEASURED]
    return names
