"""What a run leaves behind while it trains: metrics and checkpoints, or the reason why it cannot continue."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import jax
from orbax.checkpoint import CheckpointManager

from cvpo_jax.algorithm.state import StaticConfig
from cvpo_jax.config import Config
from cvpo_jax.experience.evaluation import EvaluationResult, summarize
from cvpo_jax.runs import checkpoint, directory
from cvpo_jax.runs.checkpoint import Checkpoint
from cvpo_jax.runs.console import Logs
from cvpo_jax.runs.metrics import Row, rewind_metrics
from cvpo_jax.runtime import distributed

MOST_SKIPPED = 0.01
"""Largest share of an epoch's updates that may be skipped."""


@dataclass
class Recorder:
    """The outlets of one run; without `manager` and `logs`, in processes other than the first, it writes nothing."""

    config: Config
    manager: CheckpointManager | None = None
    logs: Logs | None = None
    problem: str = ""
    """Why the run cannot continue; empty while it can."""

    def judge(self, row: Row, where: str) -> None:
        """Note a problem where numbers went bad, before they can reach a checkpoint."""
        skipped = row.get("update/skipped", 0.0)
        if row["nonfinite"]:
            self.problem = (
                f"{row['nonfinite']:.0f} observations, rewards or costs were not finite in {where}: "
                "the environment is at fault; the last checkpoint is sound"
            )
        elif row["negative_costs"]:
            self.problem = (
                f"{row['negative_costs']:.0f} costs were below 0 in {where}, and a limit bounds costs of 0 or more: "
                "let the environment pay such things as rewards; the last checkpoint is sound"
            )
        elif skipped > MOST_SKIPPED:
            self.problem = (
                f"{skipped:.0%} of the updates in {where} were not finite and were skipped: "
                "lower --algo.critic_lr or --algo.actor_lr and --resume from the last checkpoint"
            )

    def evaluation_key(self, step: int) -> jax.Array:
        """The key of the evaluation at `step`. It follows from seed and step: the same after a resume."""
        return jax.random.fold_in(jax.random.PRNGKey(self.config.train.seed + 1), step % 2**31)

    def say(self, text: str) -> None:
        """Print a line on the terminal."""
        if self.logs:
            self.logs.say(text)

    def progress(self, step: int, rate: float, row: Row) -> None:
        """Show how far the run is."""
        if self.logs:
            self.logs.progress(step, rate, row)

    def record(self, content: Checkpoint, episodes: EvaluationResult, row: Row) -> None:
        """Write an evaluation with the metrics in `row`, and a checkpoint."""
        if not self.logs or not self.manager:
            return
        limits, step = self.config.algo.cost_limits, int(content.state.env_steps)
        summary = summarize(episodes, limits)
        counts = {"step": step, "updates": int(content.state.updates), "seconds": content.seconds}
        score = {"score": checkpoint.score(summary, limits)}
        self.logs.evaluation(counts | summary | score | row, len(limits))
        checkpoint.save(self.manager, step, content, score["score"])


@contextmanager
def open_recorder(
    run_dir: Path,
    config: Config,
    manager: CheckpointManager | None,
    *,
    static: StaticConfig,
    step: int,
    num_devices: int,
    quiet: bool,
) -> Iterator[Recorder]:
    """Describe the run in its directory, forget metrics after `step` and open its outlets."""
    if not distributed.is_first():
        yield Recorder(config)
        return
    directory.describe(run_dir, config, static, num_devices)
    rewind_metrics(run_dir, step)
    with Logs(run_dir, config.train.steps, quiet=quiet) as logs:
        yield Recorder(config, manager, logs)
