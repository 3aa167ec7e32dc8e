"""Evaluate a run's policy: `python -m cvpo_jax.evaluate RUN_DIR [--episodes N] [--stochastic] [--json]`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cvpo_jax import cli
from cvpo_jax.config import ConfigError
from cvpo_jax.config.errors import require, require_seed
from cvpo_jax.config.sections import MANY, Backend

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
    stochastic: bool = False
    """Sample actions instead of taking the mean."""
    json: bool = False
    """Print one JSON object."""


def evaluate(
    run_dir: Path,
    *,
    backend: Backend | None = None,
    episodes: int = 100,
    seed: int = 0,
    stochastic: bool = False,
    step: Which = None,
) -> Row:
    """Return and cost of `episodes` whole episodes on new layouts; raises ConfigError, CheckpointError.

    `backend` replaces the run's own, `step` names a checkpoint other than the latest, or `best`.
    """
    import jax

    from cvpo_jax.experience.evaluation import make_evaluation, summarize
    from cvpo_jax.runs import directory
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
    state = load_state(run_dir, step=step)
    with host_scope():
        run = make_evaluation(make_env(config, episodes), stochastic=stochastic)
        row = summarize(run(state, jax.random.PRNGKey(seed)), config.algo.cost_limits)
    return {"step": int(state.env_steps), "episodes": episodes, "seed": seed} | row


def command(arguments: Sequence[str]) -> None:
    """Print an evaluation."""
    options = vars(cli.read_options(EvaluateOptions, "evaluate", arguments))
    as_json = options.pop("json")
    from cvpo_jax.runs.metrics import to_json
    from cvpo_jax.runtime import compilation_cache

    compilation_cache.enable_cache()
    row = evaluate(options.pop("run_dir"), **options)
    print(to_json(row) if as_json else "\n".join(f"{name:<18} {value:12,.3f}" for name, value in row.items()))


if __name__ == "__main__":
    cli.leave(cli.main(command))
