"""Evaluate a run's policy: `python -m cvpo_jax.evaluate RUN_DIR [--episodes N] [--stochastic] [--json]`."""

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

import jax

from cvpo_jax import cli
from cvpo_jax.config import ConfigError
from cvpo_jax.config.sections import Backend
from cvpo_jax.experience.evaluation import make_evaluation, summarize
from cvpo_jax.runs import directory
from cvpo_jax.runs.checkpoint import Which, step_or_best
from cvpo_jax.runs.console import Row, to_json
from cvpo_jax.runs.policy import load_state
from cvpo_jax.runtime import compilation_cache
from cvpo_jax.training.trainer import make_env
from envs.host.vector import host_scope


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
    if episodes < 1:
        raise ConfigError(f"--episodes is {episodes}: at least one is needed")
    config = directory.load_config(run_dir)
    if backend:
        config = dataclasses.replace(config, env=dataclasses.replace(config.env, backend=backend))
    state = load_state(run_dir, step=step)
    with host_scope():
        run = make_evaluation(make_env(config, episodes), stochastic=stochastic)
        row = summarize(run(state, jax.random.PRNGKey(seed)), config.algo.cost_limits)
    return {"step": int(state.env_steps), "episodes": episodes, "seed": seed} | row


def command(arguments: Sequence[str]) -> None:
    """Print an evaluation."""
    parser = argparse.ArgumentParser(prog="python -m cvpo_jax.evaluate", description="Evaluate a run's policy.")
    parser.add_argument("run_dir", type=Path, metavar="RUN_DIR")
    parser.add_argument("--backend", choices=("brax", "gymnasium"), help="default: the backend it was trained on")
    parser.add_argument("--episodes", type=int, default=100, help="whole episodes, a new layout each (default 100)")
    parser.add_argument("--seed", type=int, default=0, help="seed of layouts and actions (default 0)")
    parser.add_argument("--step", type=step_or_best, help="a checkpoint other than the latest: its step, or `best`")
    parser.add_argument("--stochastic", action="store_true", help="sample actions instead of taking the mean")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = vars(parser.parse_args(arguments))
    as_json = options.pop("json")
    compilation_cache.enable_cache()
    row = evaluate(options.pop("run_dir"), **options)
    print(to_json(row) if as_json else "\n".join(f"{name:<18} {value:12,.3f}" for name, value in row.items()))


if __name__ == "__main__":
    sys.exit(cli.main(command))
