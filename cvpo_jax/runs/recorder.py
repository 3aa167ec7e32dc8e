"""What a run leaves behind while it trains: metrics and checkpoints, or the reason why it cannot continue."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
from orbax.checkpoint import CheckpointManager

from cvpo_jax.algorithm.state import StaticConfig, TrainState
from cvpo_jax.config import Config
from cvpo_jax.experience.evaluation import EvaluationResult, summarize, summarize_each
from cvpo_jax.experience.rollout import LARGEST, CollectorState
from cvpo_jax.runs import checkpoint, directory, judgment
from cvpo_jax.runs.callbacks import Callback, Callbacks
from cvpo_jax.runs.checkpoint import Checkpoint
from cvpo_jax.runs.console import Logs
from cvpo_jax.runs.metrics import Row, rewind_metrics
from cvpo_jax.runtime import distributed

Parts = tuple[TrainState, CollectorState]
"""What a checkpoint holds of a trial: one replica of its state, and its collectors with a leading axis D."""

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
    callbacks: Callbacks = field(default_factory=Callbacks)
    _saving: int | None = None
    """The step of the checkpoint that is being written in the background."""

    def judge(self, row: Row, where: str, held: Callable[[], Parts] | None = None) -> None:
        """Note a problem where numbers went bad, before they can reach a checkpoint.

        `held` gives the state and the collector, in which the first bad value of an environment is looked for.
        """
        skipped, costs = row.get("update/skipped", 0.0), tuple(self.config.algo.constraint_limits)
        if row["nonfinite"] or row["negative_costs"]:
            fault = judgment.first_fault(*held(), costs) if held else None
            self._blame(f"{fault}; {_counted(row)} in {where}" if fault else f"{_counted(row)} in {where}")
        elif skipped > MOST_SKIPPED:
            self.problem = (
                f"{skipped:.0%} of the updates in {where} were not finite and were skipped: "
                f"lower --algo.critic_lr or --algo.actor_lr; {self._remedy()}"
            )

    def judge_stored(self, state: TrainState, episodes: EvaluationResult, where: str) -> None:
        """Note a problem where the state after an epoch, or its evaluation, is not what one can go on from."""
        fault = judgment.evaluation_fault(episodes, tuple(self.config.algo.constraint_limits))
        if fault:
            self._blame(f"{fault} in the evaluation after {where}")
        elif array := judgment.state_fault(state):
            self.problem = (
                f"{array} is not finite after {where}: lower --algo.critic_lr or --algo.actor_lr; {self._remedy()}"
            )

    def _blame(self, fault: str) -> None:
        self.problem = f"the environment is at fault: {fault}; mend it, and {self._remedy()}"

    def _remedy(self) -> str:
        """How to go on, as far as there is something to go on from."""
        step = self.manager.latest_step() if self.manager else None
        if self.manager is None or step is None:
            return "start again: there is no checkpoint yet"
        return f"--resume {self.manager.directory.parent}: its checkpoint {step} is sound"

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
        # First what was to be written before: a run has at most one evaluation without its checkpoint.
        self.finish_checkpoint()
        algo, step = self.config.algo, int(content.state.env_steps)
        summary = (summarize_each if algo.limits else summarize)(episodes, algo.judged_limits)
        counts = {"step": step, "updates": int(content.state.updates), "seconds": content.seconds}
        score = {"score": checkpoint.score(summary, algo.judged_limits)}
        evaluation = counts | summary | score | row
        self.logs.evaluation(evaluation, len(algo.constraint_limits), algo.limits)
        checkpoint.save(self.manager, step, content, score["score"])
        self._saving = step
        self.tell("on_evaluation", evaluation)

    def finish_checkpoint(self) -> None:
        """Wait for the checkpoint that is being written, and tell of it; raises CheckpointError."""
        if not self.manager:
            return
        checkpoint.wait(self.manager)
        step, self._saving = self._saving, None
        if step is not None:
            self.tell("on_checkpoint", step, Path(self.manager.directory) / str(step))

    def tell(self, method: str, *arguments: Any) -> None:
        """Call a method of all callbacks; note a problem where one raises."""
        told = self.callbacks.tell(method, *arguments)
        if told and self.manager:
            self.problem = self.problem or f"{told}; the run is saved: --resume {self.manager.directory.parent}"


def _counted(row: Row) -> str:
    """How many values were bad, and what values have to be."""
    if row["nonfinite"]:
        return f"{row['nonfinite']:.0f} observations, rewards or costs were not finite or beyond {LARGEST:g}"
    return f"{row['negative_costs']:.0f} costs were below 0, and a limit bounds costs of 0 or more: pay them as rewards"


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
    callbacks: Sequence[Callback] = (),
) -> Iterator[Recorder]:
    """Describe the run in its directory, forget metrics after `step`, open its outlets and start its callbacks.

    Raises ConfigError where a callback cannot start.
    """
    if not distributed.is_first():
        yield Recorder(config)
        return
    directory.describe(run_dir, config, static, num_devices)
    rewind_metrics(run_dir, step)
    with Logs(run_dir, config.scale.steps, step=step, quiet=quiet) as logs:
        recorder = Recorder(config, manager, logs, callbacks=Callbacks(callbacks))
        recorder.callbacks.start(run_dir, config, step)
        try:
            yield recorder
            recorder.finish_checkpoint()
        except BaseException as error:
            recorder.callbacks.tell("on_end", str(error) or type(error).__name__)
            raise
        recorder.tell("on_end", recorder.problem)
