"""How a run's policy does on the port and in the genuine environment: `python -m cvpo_jax.transfer RUN_DIR …`.

Evaluates each run on both and prints a Markdown table of means with their standard errors, and of the difference with
its 95 % confidence interval: where that holds zero, the backends agree.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cvpo_jax import compilation, rundir, terminal
from cvpo_jax.config import ConfigError
from cvpo_jax.evaluate import evaluate
from cvpo_jax.logs import Row

_NORMAL_95 = 1.96
_FEWEST_EPISODES = 30  # the interval takes means as normally distributed
_ROW = "| {} | {} | {} | {} | {} | {} |"


class Comparison(NamedTuple):
    """One quantity of a policy on both backends."""

    task: str
    quantity: str
    port: float
    port_error: float  # standard error of the mean
    genuine: float
    genuine_error: float

    @property
    def difference(self) -> float:
        """Genuine less port."""
        return self.genuine - self.port

    @property
    def half_width(self) -> float:
        """Half the width of the difference's 95 % confidence interval."""
        return _NORMAL_95 * math.hypot(self.port_error, self.genuine_error)

    @property
    def agrees(self) -> bool:
        """Whether the interval holds zero."""
        return abs(self.difference) <= self.half_width

    def line(self) -> str:
        """A row of the table."""
        means = [f"{mean:.2f} ± {error:.2f}" for mean, error in ((self.port, self.port_error), self[4:])]
        interval = f"{self.difference:+.2f} [{self.difference - self.half_width:+.2f}, "
        interval += f"{self.difference + self.half_width:+.2f}]"
        return _ROW.format(self.task, self.quantity, *means, interval, "yes" if self.agrees else "no")


def compare(run_dir: Path, *, episodes: int, seed: int = 0) -> list[Comparison]:
    """Return and each cost of the latest policy in `run_dir`, over `episodes` episodes on both backends."""
    config = rundir.load_config(run_dir)
    port, genuine = (evaluate(run_dir, backend=name, episodes=episodes, seed=seed) for name in ("brax", "gymnasium"))
    return [
        Comparison(config.env.id, name, *_mean(port, column), *_mean(genuine, column))
        for name, column in _columns(list(config.algo.constraint_limits)).items()
    ]


def _columns(constraints: list[str]) -> dict[str, str]:
    """Quantity -> its name in the metrics."""
    costs = {name: f"cost_{i}" if len(constraints) > 1 else "cost" for i, name in enumerate(constraints)}
    return {"return": "return"} | costs


def _mean(row: Row, column: str) -> tuple[float, float]:
    """Mean over episodes and its standard error; the metrics' spread is the population's."""
    return row[f"{column}_mean"], row[f"{column}_std"] / math.sqrt(row["episodes"] - 1)


def table(comparisons: Sequence[Comparison]) -> str:
    """All of them in Markdown."""
    head = _ROW.format("task", "quantity", "port", "genuine", "difference, 95 % interval", "agrees")
    return "\n".join([head, _ROW.format(*["---"] * 6), *(comparison.line() for comparison in comparisons)])


def command(arguments: Sequence[str]) -> None:
    """Compare the runs named on the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m cvpo_jax.transfer", description="Compare policies on both backends."
    )
    parser.add_argument("run_dirs", nargs="+", type=Path, metavar="RUN_DIR")
    parser.add_argument("--episodes", type=int, default=100, help="episodes on each backend (default 100)")
    parser.add_argument("--seed", type=int, default=0, help="seed of layouts (default 0)")
    options = parser.parse_args(arguments)
    if options.episodes < _FEWEST_EPISODES:
        raise ConfigError(f"--episodes is {options.episodes}: an interval needs at least {_FEWEST_EPISODES}")
    compilation.enable_cache()
    comparisons = []
    for run_dir in options.run_dirs:
        comparisons += compare(run_dir, episodes=options.episodes, seed=options.seed)
    print(table(comparisons))


if __name__ == "__main__":
    sys.exit(terminal.main(command))
