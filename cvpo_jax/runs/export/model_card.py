"""What an exported policy was trained for and what it was measured to do, as JSON beside its file."""

import dataclasses
import math
import subprocess
from pathlib import Path
from typing import Any

from scipy import stats

from cvpo_jax.algorithm.state import TrainState
from cvpo_jax.config import Config
from cvpo_jax.config.names import metric_name
from cvpo_jax.runs import at_limit
from cvpo_jax.runs.checkpoint import Which
from cvpo_jax.runs.export.policy_arrays import PolicyArrays
from cvpo_jax.runs.metrics import Row, read_metrics, row_at

CONFIDENCE = 0.95

Card = dict[str, Any]


def model_card(
    run_dir: Path,
    config: Config,
    state: TrainState,
    policy: PolicyArrays,
    chosen: Which,
    limit: float | None = None,
) -> Card:
    """The card of the policy of `state`, a checkpoint of `run_dir` that was chosen as `chosen` says.

    Of a run at several limits that at `limit`, which was measured if it is one of them.
    """
    step, limits = int(state.env_steps), config.algo.limits
    row = next((row for row in read_metrics(run_dir) if row["step"] == step), None)
    if row and limit is not None:
        row = row_at(row, limits.index(limit), len(limits)) if limit in limits else None
    config = at_limit.config_at(config, limit)
    return {
        "task": config.env.id,
        "env": dataclasses.asdict(dataclasses.replace(config.env, folder=None)),
        "limits": dict(config.algo.constraint_limits),
        "algorithm": config.algo.name,
        "limit_mode": config.algo.limit_mode,
        "seed": config.train.seed,
        "step": step,
        "updates": int(state.updates),
        "chosen": "latest" if chosen is None else chosen,
        "measured": row and _measured(row, config),
        "episode_length": state.static.episode_length,
        "observation": {"size": policy.observation_size, "key": config.env.observation_key, "dtype": "float32"},
        "action": {
            "size": policy.action_low.size,
            "low": policy.action_low.tolist(),
            "high": policy.action_high.tolist(),
            "dtype": "float32",
        },
        "hidden": list(config.algo.hidden),
        "commit": _commit(),
    }


def _measured(row: Row, config: Config) -> Card:
    """Means of the evaluation in `row`, each with its interval."""
    names, count = config.algo.constraint_limits, config.eval.episodes
    keys = {name: metric_name("cost", index, len(names)) for index, name in enumerate(names)}
    return {
        "episodes": count,
        "actions": "sampled" if config.eval.stochastic else "mean",
        "confidence": CONFIDENCE,
        "return": _interval(row, "return", count),
        **{name: _interval(row, key, count) for name, key in keys.items()},
    }


def _interval(row: Row, name: str, count: int) -> Card:
    """A mean over `count` episodes with its interval by Student's t, None where one episode cannot tell it."""
    mean, interval = row[f"{name}_mean"], None
    if count > 1:
        # Stored is the standard deviation of the episodes themselves, not the estimate for all that could be.
        half = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)) * row[f"{name}_std"] / math.sqrt(count - 1)
        interval = [mean - half, mean + half]
    return {"mean": mean, "interval": interval}


def _commit() -> str | None:
    """The commit of the checkout that exports; None where the package is not run from one."""
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "ls-files", "--error-unmatch", Path(__file__).name]
    try:
        # An environment may lie inside of some other project's checkout.
        subprocess.run(command, capture_output=True, check=True)
        found = subprocess.run(
            ["git", "-C", str(here), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()
