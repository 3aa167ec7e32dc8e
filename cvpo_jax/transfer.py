"""Compare policies on the port and in the genuine environment: `python -m cvpo_jax.transfer RUN_DIR …`.

Plays each run's policy on both, from the same layouts, goals and headings, and prints a Markdown table of means
with their standard errors, and of the mean difference of the pairs with its 95 % confidence interval: where that holds
zero, the backends agree. Velocity tasks, which have no layout, do not share
their starts.

What follows the start is random on either side: `--repeats` plays several episodes of the port from each start and
takes their mean, so that only the chance of the genuine ones is left, where an episode costs far more.

Notation: E episodes, C constraints.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from cvpo_jax import cli
from cvpo_jax.config.errors import MANY, require, require_seed

if TYPE_CHECKING:
    import jax

    from cvpo_jax.experience.evaluation import EvaluationResult
    from cvpo_jax.runs.checkpoint import Which
    from envs import VectorEnv

_NORMAL_95 = 1.96
_FEWEST_EPISODES = 30  # the interval takes means as normally distributed
_ROW = "| {} | {} | {} | {} | {} | {} |"


@dataclass(frozen=True)
class TransferOptions:
    """Compare policies on the port and in the genuine environment, as a Markdown table."""

    run_dirs: cli.RunDirs
    """The directories of the runs."""
    episodes: int = 100
    """Episodes on each backend."""
    repeats: int = 1
    """Episodes of the port from each start."""
    seed: int = 0
    """Seed of layouts."""
    step: int | Literal["best"] | None = None
    """The checkpoint: its step, or `best` by evaluation; None: the latest."""
    limit: float | None = None
    """Of a run at several limits (`--algo.limits`) one of them, or one between."""


class Comparison(NamedTuple):
    """One quantity of a policy on both backends, in E pairs of episodes."""

    task: str
    quantity: str
    port: np.ndarray  # [E]
    genuine: np.ndarray  # [E]

    @property
    def difference(self) -> float:
        """Genuine less port, on average."""
        return float(np.mean(self.genuine - self.port))

    @property
    def half_width(self) -> float:
        """Half the width of the difference's 95 % confidence interval."""
        return _NORMAL_95 * _error(self.genuine - self.port)

    @property
    def agrees(self) -> bool:
        """Whether the interval holds zero."""
        return abs(self.difference) <= self.half_width

    def line(self) -> str:
        """A row of the table."""
        means = [f"{values.mean():.2f} ± {_error(values):.2f}" for values in (self.port, self.genuine)]
        interval = f"{self.difference:+.2f} [{self.difference - self.half_width:+.2f}, "
        interval += f"{self.difference + self.half_width:+.2f}]"
        return _ROW.format(self.task, self.quantity, *means, interval, "yes" if self.agrees else "no")


def _error(values: np.ndarray) -> float:
    """The standard error of the mean of `values` `[E]`."""
    return float(np.std(values)) / math.sqrt(len(values) - 1)


def compare(
    run_dir: Path,
    *,
    episodes: int,
    repeats: int = 1,
    seed: int = 0,
    step: Which = None,
    limit: float | None = None,
) -> list[Comparison]:
    """Return and each cost of a policy in `run_dir`, over `episodes` starts, `repeats` times on the port."""
    import jax

    from cvpo_jax.runs import directory

    config = directory.load_config(run_dir)
    port, genuine = (
        jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), played)
        for played in play(run_dir, episodes=episodes, repeats=repeats, seed=seed, step=step, limit=limit)
    )
    costs = zip(config.algo.constraint_limits, port.costs.T, genuine.costs.T, strict=True)
    pairs = [("return", port.returns, genuine.returns), *costs]
    return [Comparison(config.env.id, *pair) for pair in pairs]


def play(
    run_dir: Path, *, episodes: int, repeats: int, seed: int, step: Which, limit: float | None
) -> tuple[EvaluationResult, EvaluationResult]:
    """What the policy in `run_dir` at `step` comes to on the port (mean of `repeats`) and in the genuine one."""
    import jax

    from cvpo_jax.experience.evaluation import make_evaluation, reset_key
    from cvpo_jax.runs import at_limit, directory
    from cvpo_jax.runs.policy import load_state
    from cvpo_jax.training.trainer import make_env
    from envs import host_scope

    config, key = directory.load_config(run_dir), jax.random.PRNGKey(seed)
    at_limit.require_limit(run_dir, config, limit)
    config, state = at_limit.config_at(config, limit), load_state(run_dir, step=step, limit=limit)
    port, genuine = (dataclasses.replace(config.env, backend=name) for name in ("brax", "gymnasium"))
    with host_scope():
        host = make_env(dataclasses.replace(config, env=genuine), episodes)
        placed = _placed(make_env(dataclasses.replace(config, env=port), episodes), host, reset_key(key))
        on_port, on_host = (make_evaluation(env, stochastic=False) for env in (placed, host))
        return repeated(lambda key: on_port(state, key), key, repeats), on_host(state, key)


def repeated(evaluate: Callable[[jax.Array], EvaluationResult], key: jax.Array, repeats: int) -> EvaluationResult:
    """The mean of what `evaluate` finds with `repeats` keys made of `key`."""
    import jax

    played = [evaluate(jax.random.fold_in(key, index)) for index in range(repeats)]
    return jax.tree.map(lambda *leaves: np.mean(leaves, axis=0), *played)


def _placed(port: VectorEnv, host: VectorEnv, key: jax.Array) -> VectorEnv:
    """`port` with its first episodes where those of `host` begin when it is reset with `key`."""
    from envs import CompiledVectorEnv, NavigationEnv
    from envs.host.vector import HostVectorEnv
    from envs.parity.matched_starts import PlacedVectorEnv, starts
    from envs.safety_gymnasium.env import SafetyGymnasiumEnv

    assert isinstance(port, CompiledVectorEnv) and isinstance(host, HostVectorEnv)
    env, genuine = port.env, host.factory()
    if not isinstance(env, NavigationEnv) or not isinstance(genuine, SafetyGymnasiumEnv):
        return port
    return PlacedVectorEnv(env, starts(env, genuine, host.episode_seeds(key)))


def table(comparisons: Sequence[Comparison]) -> str:
    """All of them in Markdown."""
    head = _ROW.format("task", "quantity", "port", "genuine", "difference, 95 % interval", "agrees")
    return "\n".join([head, _ROW.format(*["---"] * 6), *(comparison.line() for comparison in comparisons)])


def command(arguments: Sequence[str]) -> None:
    """Compare the runs named on the command line."""
    options = cli.read_options(TransferOptions, "transfer", arguments)
    for name, least, most in (("episodes", _FEWEST_EPISODES, MANY), ("repeats", 1, 10_000)):
        value = getattr(options, name)
        require(least <= value <= most, f"--{name} is {value}: it must lie between {least} and {most:,}")
    require_seed(options.seed)
    from cvpo_jax.runtime import compilation_cache

    compilation_cache.enable_cache()
    comparisons = []
    for run_dir in options.run_dirs:
        comparisons += compare(
            run_dir,
            episodes=options.episodes,
            repeats=options.repeats,
            seed=options.seed,
            step=options.step,
            limit=options.limit,
        )
    print(table(comparisons))


if __name__ == "__main__":
    cli.leave(cli.main(command))
