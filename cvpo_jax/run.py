"""Train: `python -m cvpo_jax.run EXPERIMENT [--section.option value …]`, or `--resume RUN_DIR` to go on with a run."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from cvpo_jax import compilation
from cvpo_jax.checkpoint import CheckpointError
from cvpo_jax.config import Config, ConfigError
from cvpo_jax.experiment import load_experiment, parse_overrides
from cvpo_jax.plot import plot_run, table
from cvpo_jax.policy import load_config
from cvpo_jax.train import TrainingError, train

DESCRIPTION = "Train a policy under a limit on cost. EXPERIMENT is a file with get_config(), as in experiments/."


def read_command(arguments: Sequence[str]) -> tuple[Config, Path | None]:
    """The configuration to train, and the run to go on with if any; raises ConfigError."""
    first = argparse.ArgumentParser(prog="python -m cvpo_jax.run", add_help=False)
    first.add_argument("experiment", nargs="?")
    first.add_argument("--resume", type=Path, metavar="RUN_DIR")
    known, rest = first.parse_known_args(arguments)
    usage = "python -m cvpo_jax.run EXPERIMENT [--resume RUN_DIR]"
    if known.resume:
        default = load_config(known.resume)
    elif known.experiment:
        default = load_experiment(known.experiment)
    elif {"-h", "--help"} & set(rest):
        default = Config()
    else:
        raise ConfigError("name an experiment, as in experiments/point_goal.py, or give --resume RUN_DIR")
    return parse_overrides(default, rest, usage, DESCRIPTION).validate(), known.resume


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, then show the result; returns the exit status."""
    try:
        config, resume = read_command(sys.argv[1:] if arguments is None else arguments)
        compilation.enable_cache()
        run_dir = train(config, resume=resume)
    except (ConfigError, CheckpointError, TrainingError, ValueError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; --resume goes on from the last checkpoint", file=sys.stderr)
        return 130
    print(table(run_dir))
    print(f"learning curve: {plot_run(run_dir)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
