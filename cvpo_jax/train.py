"""The training loop: warm-up, then epochs, with an evaluation and a checkpoint every few of them."""

from pathlib import Path

import jax
import numpy as np
from orbax.checkpoint import CheckpointManager

from cvpo_jax import checkpoint, cost, devices, rundir
from cvpo_jax.checkpoint import Checkpoint
from cvpo_jax.clock import Clock
from cvpo_jax.config import Config, ConfigError
from cvpo_jax.episodes import summarize
from cvpo_jax.interrupt import Interruption, interruptible
from cvpo_jax.logs import Logs, Row, rewind_metrics
from cvpo_jax.program import Program, build
from cvpo_jax.types import Hyper, Metrics, TrainState

MOST_SKIPPED = 0.01


class TrainingError(RuntimeError):
    """Training cannot go on; the message says why and what to do."""


def train(config: Config, *, resume: Path | None = None) -> Path:
    """Train as `config` says, or go on with the run in `resume`; returns the run directory.

    Raises ConfigError, CheckpointError or TrainingError, each with one line that says what to do.
    """
    config = rundir.resumable(resume, config) if resume else config.validate()
    run_dir = resume or rundir.choose(config)
    program = build(config)
    with checkpoint.open_checkpoints(run_dir) as manager:
        begin = _restored(program, manager) if resume else _fresh(program)
        rundir.describe(run_dir, config, program.setup, len(program.chosen))
        rewind_metrics(run_dir, _step(begin.state))
        with Logs(run_dir, config.train.steps) as logs, interruptible() as interruption:
            _announce(logs, program, begin, run_dir)
            _loop(program, manager, logs, begin, interruption)
    return run_dir


def _fresh(program: Program) -> Checkpoint:
    """The start of a run; here and in `_loop` the state has a replica for each device."""
    state, collection = program.start(jax.random.PRNGKey(program.config.train.seed))
    return Checkpoint(state, collection, 0.0)


def _restored(program: Program, manager: CheckpointManager) -> Checkpoint:
    """The latest checkpoint on the program's devices; hyperparameters are the configuration's, not the stored ones."""
    config, template = program.config.train, _fresh(program)
    stored = checkpoint.restore(manager, devices.first(template.state), template.collection)
    steps, minutes = int(stored.state.env_steps), stored.seconds / 60
    if steps >= config.steps:
        raise ConfigError(f"--train.steps is {config.steps}: the run has {steps} already; give more to go on")
    if 0 < config.max_minutes <= minutes:
        raise ConfigError(f"--train.max_minutes is {config.max_minutes:g}: the run has had {minutes:.1f}; give more")
    state = stored.state.replace(hyper=Hyper.from_config(program.config.algo))
    chosen = program.chosen
    return Checkpoint(devices.replicate(state, chosen), devices.place(stored.collection, chosen), stored.seconds)


def _loop(
    program: Program, manager: CheckpointManager, logs: Logs, begin: Checkpoint, interruption: Interruption
) -> None:
    """Epochs until the steps are done, the time is up or the user interrupts; each stop leaves a checkpoint."""
    config, clock = program.config, Clock(begin.seconds)
    state, collection = begin.state, begin.collection
    if _step(state) == 0:
        state, collection, metrics = program.warmup(state, collection)
        _check(metrics, "the warm-up")
    epochs, done = (_step(state) - program.warmup_steps) // program.epoch_steps, False
    while not done:
        with clock.epoch():
            state, collection, metrics = jax.block_until_ready(program.epoch(state, collection))
        epochs += 1
        step = _step(state)
        _check(metrics, f"the epoch that ended at step {step:,}")
        row = {name: float(value[0]) for name, value in metrics.items()}
        logs.progress(step, clock.per_second(program.epoch_steps), row)
        out_of_time = 0 < config.train.max_minutes * 60 <= clock.seconds
        done = step >= config.train.steps or out_of_time or interruption.requested
        if done or epochs % config.eval.every == 0:
            replica = devices.first(state)
            row = _evaluate(program, replica, clock) | row
            logs.evaluation(row, "" if program.setup.num_constraints == 1 else "_0")
            checkpoint.save(manager, step, Checkpoint(replica, collection, clock.seconds), row["score"])
    if interruption.requested:
        logs.say("stopped as asked; everything is saved")


def _evaluate(program: Program, state: TrainState, clock: Clock) -> Row:
    """The row of metrics of an evaluation. Its key follows from the seed and the step: the same after a resume."""
    step, limits = int(state.env_steps), program.config.algo.cost_limits
    key = jax.random.fold_in(jax.random.PRNGKey(program.config.train.seed + 1), step % 2**31)
    summary = summarize(program.evaluate(state, key), limits)
    row = {
        "step": step,
        "updates": int(state.updates),
        "seconds": clock.seconds,
        "steps_per_second": clock.per_second(program.epoch_steps),
        "updates_per_second": clock.per_second(program.epoch_updates),
    }
    return row | summary | {"score": checkpoint.score(summary, limits)}


def _check(metrics: Metrics, where: str) -> None:
    """Raise TrainingError where numbers went bad, before they can reach a checkpoint."""
    bad = int(np.sum(metrics["nonfinite"]))
    if bad:
        raise TrainingError(
            f"{bad} observations, rewards or costs were not finite in {where}: "
            "the environment is at fault; the last checkpoint is sound"
        )
    skipped = float(np.max(metrics.get("update/skipped", 0.0)))
    if skipped > MOST_SKIPPED:
        raise TrainingError(
            f"{skipped:.0%} of the updates in {where} were not finite and were skipped: "
            "lower --algo.critic_lr or --algo.actor_lr and --resume from the last checkpoint"
        )


def _announce(logs: Logs, program: Program, begin: Checkpoint, run_dir: Path) -> None:
    """What is about to be done, before it takes long: task, limit and threshold, memory, devices."""
    config, setup = program.config, program.setup
    logs.say(f"{config.env.id} ({config.env.backend}) on {len(program.chosen)} {program.chosen[0].platform} device(s)")
    for name, limit in config.algo.constraint_limits.items():
        threshold = float(cost.threshold_from_limit(limit, config.algo.gamma, setup.episode_length))
        logs.say(
            f"{name}: limit {limit:g} an episode of {setup.episode_length} steps, gamma {config.algo.gamma:g}: "
            f"threshold {threshold:.3f}"
        )
    size = sum(x.nbytes for x in jax.tree.leaves(begin.collection.replay)) / 2**30
    logs.say(f"replay of {program.rows * config.env.num_envs:,} steps: {size:.3f} GiB")
    step = _step(begin.state)
    logs.say(f"going on with {run_dir} from step {step:,}" if step else f"results go to {run_dir}")


def _step(state: TrainState) -> int:
    return int(devices.first(state.env_steps))
