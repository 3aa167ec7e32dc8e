"""The training loop: warm-up, then epochs, with an evaluation and a checkpoint every few of them."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import jax
import numpy as np
from orbax.checkpoint import CheckpointManager

from cvpo_jax import checkpoint, cost, devices
from cvpo_jax.config import Config, ConfigError
from cvpo_jax.episodes import summarize
from cvpo_jax.logs import Logs, Row
from cvpo_jax.policy import save_setup
from cvpo_jax.program import Program, build
from cvpo_jax.types import Collection, Metrics, TrainState


class TrainingError(RuntimeError):
    """Training cannot go on; the message says why and what to do."""


@dataclass
class _Clock:
    """Seconds and steps of training proper: without evaluation, checkpoints and the first epoch, which compiles."""

    seconds: float = 0.0
    timed_seconds: float = 0.0
    timed_epochs: int = 0
    started: float = field(default_factory=time.perf_counter)

    def epoch(self, seconds: float, compiled: bool) -> None:
        self.seconds += seconds
        if not compiled:
            self.timed_seconds += seconds
            self.timed_epochs += 1

    def per_second(self, per_epoch: int) -> float:
        return per_epoch * self.timed_epochs / self.timed_seconds if self.timed_epochs else float("nan")


def train(config: Config, *, resume: Path | None = None) -> Path:
    """Train as `config` says, or go on with the run in `resume`; returns the run directory.

    Raises ConfigError, CheckpointError or TrainingError, each with one line that says what to do.
    """
    run_dir = resume or _new_run_dir(config)
    program = build(config)
    key = jax.random.PRNGKey(config.train.seed)
    state, collection = program.start(key)
    manager = checkpoint.open_checkpoints(run_dir)
    with Logs(run_dir, config.train.steps) as logs, _interruptible() as interrupted:
        _announce(logs, program, collection, run_dir)
        if resume:
            state, collection = _restore(manager, state, collection, program)
            logs.say(f"resumed at step {_step(state):,}")
        else:
            (run_dir / "config.json").write_text(config.to_json())
            save_setup(run_dir, program.setup)
        _loop(program, manager, logs, state, collection, interrupted)
    manager.close()
    return run_dir


def _loop(
    program: Program,
    manager: CheckpointManager,
    logs: Logs,
    state: TrainState,
    collection: Collection,
    interrupted: list[int],
) -> None:
    """Epochs until the steps are done, the time is up or the user interrupts; each stop leaves a checkpoint."""
    config, clock = program.config, _Clock()
    if _step(state) == 0:
        state, collection, metrics = program.warmup(state, collection)
        _check(metrics, state, "the warm-up")
    epochs, done = _step(state) // _epoch_steps(program), False
    while not done:
        begin = time.perf_counter()
        state, collection, metrics = jax.block_until_ready(program.epoch(state, collection))
        clock.epoch(time.perf_counter() - begin, compiled=clock.seconds == 0)
        epochs += 1
        _check(metrics, state, f"the epoch that ended at step {_step(state):,}")
        row = {name: float(value[0]) for name, value in metrics.items()}
        logs.progress(_step(state), clock.per_second(_epoch_steps(program)), row)
        out_of_time = 0 < config.train.max_minutes * 60 <= clock.seconds
        done = _step(state) >= config.train.steps or out_of_time or bool(interrupted)
        if done or epochs % config.eval.every == 0:
            row = _evaluate(program, state, clock) | row
            logs.evaluation(row, "" if program.setup.num_constraints == 1 else "_0")
            checkpoint.save(manager, _step(state), state, collection, row)
    if interrupted:
        logs.say("stopped as asked; everything is saved")


def _evaluate(program: Program, state: TrainState, clock: _Clock) -> Row:
    """The row of metrics of an evaluation. Its key follows from the seed and the step: the same after a resume."""
    step = _step(state)
    key = jax.random.fold_in(jax.random.PRNGKey(program.config.train.seed + 1), step % 2**31)
    limits = program.config.algo.cost_limits
    summary = summarize(program.evaluate(devices.first(state), key), limits)
    steps, schedule = _epoch_steps(program), program.schedule
    row = {
        "step": step,
        "updates": int(devices.first(state.updates)),
        "seconds": clock.seconds,
        "steps_per_second": clock.per_second(steps),
        "updates_per_second": clock.per_second(schedule.updates * schedule.iterations),
    }
    row |= summary
    return row | {"score": checkpoint.score(summary, limits)}


def _check(metrics: Metrics, state: TrainState, where: str) -> None:
    """Raise TrainingError where numbers went bad, before they can reach a checkpoint."""
    if float(np.sum(metrics["nonfinite"])) > 0:
        raise TrainingError(
            f"{int(np.sum(metrics['nonfinite']))} observations, rewards or costs were not finite in {where}: "
            "the environment is at fault; the last checkpoint is sound"
        )
    if "update/skipped" in metrics and float(np.max(metrics["update/skipped"])) > 0.01:
        raise TrainingError(
            f"{float(np.max(metrics['update/skipped'])):.0%} of the updates in {where} were not finite "
            "and were skipped: lower --algo.critic_lr or --algo.actor_lr and --resume from the last checkpoint"
        )


def _restore(
    manager: CheckpointManager, state: TrainState, collection: Collection, program: Program
) -> tuple[TrainState, Collection]:
    restored, sibling = checkpoint.restore(manager, devices.first(state), collection)
    assert sibling is not None
    return devices.replicate(restored, program.chosen), sibling


def _announce(logs: Logs, program: Program, collection: Collection, run_dir: Path) -> None:
    """What is about to be done, before it takes long: task, limit and threshold, memory, devices."""
    config, setup = program.config, program.setup
    logs.say(f"{config.env.id} ({config.env.backend}) on {len(program.chosen)} {program.chosen[0].platform} device(s)")
    for name, limit in config.algo.constraint_limits.items():
        threshold = float(cost.threshold_from_limit(limit, config.algo.gamma, setup.episode_length))
        logs.say(
            f"{name}: limit {limit:g} an episode of {setup.episode_length} steps, gamma {config.algo.gamma:g}: "
            f"threshold {threshold:.3f}"
        )
    size = sum(x.nbytes for x in jax.tree.leaves(collection.replay)) / 2**30
    logs.say(f"replay of {program.rows * config.env.num_envs:,} steps: {size:.3f} GiB")
    logs.say(f"results go to {run_dir}")


def _new_run_dir(config: Config) -> Path:
    name = f"{config.env.id.removesuffix('-v0')}-seed{config.train.seed}-{time.strftime('%Y%m%d-%H%M%S')}"
    run_dir = Path(config.run_dir or Path("runs") / name)
    if (run_dir / "config.json").exists():
        raise ConfigError(f"--run-dir {run_dir} holds a run already: choose another folder, or --resume {run_dir}")
    run_dir.mkdir(parents=True, exist_ok=True)
    return run_dir


def _step(state: TrainState) -> int:
    return int(devices.first(state.env_steps))


def _epoch_steps(program: Program) -> int:
    return program.schedule.iterations * program.schedule.unroll * program.config.env.num_envs


@contextmanager
def _interruptible() -> Iterator[list[int]]:
    """Collect interrupts instead of dying: the loop ends its epoch, saves and stops; a second Ctrl-C ends at once."""
    caught: list[int] = []

    def remember(number: int, frame: object) -> None:
        if caught:
            raise KeyboardInterrupt
        caught.append(number)
        print("\nstopping after this epoch; once more to stop at once", flush=True)

    numbers = (signal.SIGINT, signal.SIGTERM)
    previous = {number: signal.signal(number, remember) for number in numbers}
    try:
        yield caught
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
