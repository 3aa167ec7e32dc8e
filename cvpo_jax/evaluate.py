"""Evaluate a run's policy: `python -m cvpo_jax.evaluate RUN_DIR [--episodes N] [--limit L] [--json]`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cvpo_jax import cli
from cvpo_jax.config import ConfigError
from cvpo_jax.config.errors import MANY, require, require_seed
from cvpo_jax.config.sections import Backend

if TYPE_CHECKING:
    from cvpo_jax.runs.checkpoint import Which
    from cvpo_jax.runs.metrics import Row


@dataclass(frozen=True)
class EvaluateOptions:
    """Evaluate a run's policy."""

    run_dir: cli.RunDir
    """The directory of the run."""
    backend: Backend | None = None
    """Where to evaluate it; None: the backend it was trained on."""
    episodes: int = 100
    """Whole episodes, each with a new layout."""
    seed: int = 0
    """Seed of layouts and actions."""
    step: int | Literal["best"] | None = None
    """The checkpoint: its step, or `best` by evaluation; None: the latest."""
    limit: float | None = None
    """Of a run at several limits (`--algo.limits`) one of them, or one between; None: each of them, as a table."""
    stochastic: bool = False
    """Sample actions instead of taking the mean."""
    json: bool = False
    """Print one JSON object."""


def evaluate(run_dir: Path, *, limit: float | None = None, **options: Any) -> Row:
    """Return and cost of whole episodes on new layouts; raises ConfigError, CheckpointError.

    The options are those of `evaluate_each`. A run at several limits has to be asked for a `limit`: one of them, or one
    between.
    """
    return evaluate_each(run_dir, [limit], **options)[0]


def evaluate_each(
    run_dir: Path,
    limits: Sequence[float | None] | None = None,
    *,
    backend: Backend | None = None,
    episodes: int = 100,
    seed: int = 0,
    stochastic: bool = False,
    step: Which = None,
) -> list[Row]:
    """Return and cost of `episodes` whole episodes at each of `limits`, by one compiled program.

    `limits` are by default those of the run, or its only one, which is None. `backend` replaces the run's own, `step`
    names a checkpoint other than the latest, or `best`. Raises ConfigError, CheckpointError.
    """
    import jax

    from cvpo_jax.experience.evaluation import make_evaluation, summarize
    from cvpo_jax.runs import at_limit, directory
    from cvpo_jax.runs.policy import load_state
    from cvpo_jax.training.trainer import make_env
    from envs import host_scope

    require(1 <= episodes <= MANY, f"--episodes is {episodes}: 1 to {MANY:,} can be played")
    require_seed(seed)
    config = directory.load_config(run_dir)
    if backend and config.env.is_own:
        raise ConfigError(f"--backend is {backend}: {config.env.id} has one kind only; leave the option out")
    if backend:
        config = dataclasses.replace(config, env=dataclasses.replace(config.env, backend=backend))
    limits = limits or config.algo.limits or (None,)
    for limit in limits:
        at_limit.require_limit(run_dir, config, limit)
    states = [load_state(run_dir, step=step, limit=limit) for limit in limits]
    with host_scope():
        run = make_evaluation(make_env(at_limit.config_at(config, limits[0]), episodes), stochastic=stochastic)
        played = [run(state, jax.random.PRNGKey(seed)) for state in states]
    judged = [at_limit.config_at(config, limit).algo.cost_limits for limit in limits]
    counts = {"step": int(states[0].env_steps), "episodes": episodes, "seed": seed}
    return [counts | summarize(one, costs) for one, costs in zip(played, judged, strict=True)]


def table(rows: Sequence[Row]) -> str:
    """Return and cost at each limit."""
    line = "{:>8} {:>9} {:>9} {:>9} {:>9} {:>11}"
    lines = [line.format("limit", "return", "std", "cost", "std", "cost/limit")]
    names = ("return_mean", "return_std", "cost_mean", "cost_std", "cost_over_limit")
    return "\n".join(
        [*lines, *(line.format(f"{row['cost_limit']:g}", *(f"{row[n]:.2f}" for n in names)) for row in rows)]
    )


def command(arguments: Sequence[str]) -> None:
    """Print an evaluation, of a run at several limits one for each unless `--limit` names one."""
    options = vars(cli.read_options(EvaluateOptions, "evaluate", arguments))
    as_json, run_dir, limit = (options.pop(name) for name in ("json", "run_dir", "limit"))
    from cvpo_jax.runs.metrics import nulls, to_json
    from cvpo_jax.runtime import compilation_cache

    compilation_cache.enable_cache()
    rows = evaluate_each(run_dir, None if limit is None else [limit], **options)
    if len(rows) > 1:
        print(json.dumps([nulls(row) for row in rows]) if as_json else table(rows))
        return
    (row,) = rows
    print(to_json(row) if as_json else "\n".join(f"{name:<18} {value:12,.3f}" for name, value in row.items()))


if __name__ == "__main__":
    cli.leave(cli.main(command))
