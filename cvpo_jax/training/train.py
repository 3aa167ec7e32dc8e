"""The training loop: warm-up, then epochs, with an evaluation and a checkpoint every few of them."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import jax
import numpy as np
from orbax.checkpoint import CheckpointManager

from cvpo_jax.algorithm import limit_controller
from cvpo_jax.algorithm.state import Collection, Hyper, TrainState
from cvpo_jax.config.config import Config
from cvpo_jax.config.sections import ConfigError
from cvpo_jax.runs import checkpoint, directory
from cvpo_jax.runs.checkpoint import Checkpoint
from cvpo_jax.runs.console import Row
from cvpo_jax.runs.recorder import Recorder, recording
from cvpo_jax.runtime import distributed
from cvpo_jax.runtime.interrupt import Interruption, interruptible
from cvpo_jax.training.reshard import redistribute
from cvpo_jax.training.timer import Clock
from cvpo_jax.training.trainer import Program, build
from envs.host.vector import host_scope


class TrainingError(RuntimeError):
    """Training cannot go on; the message says why and what to do."""


def train(config: Config, *, resume: Path | None = None) -> Path:
    """Train as `config` says, or go on with the run in `resume`; returns the run directory.

    Raises ConfigError, CheckpointError or TrainingError, each with one line that says what to do.
    """
    config = directory.resumable(resume, config) if resume else config.validate()
    run_dir = resume or (directory.choose(config) if distributed.is_first() else Path(config.run_dir))
    with host_scope(), interruptible() as interruption:
        (problem,) = train_program(build(config), [run_dir], interruption, resume=bool(resume))
    if problem:
        raise TrainingError(problem)
    return run_dir


def train_program(
    program: Program,
    run_dirs: Sequence[Path],
    interruption: Interruption,
    *,
    resume: bool,
    step: int | None = None,
    recorded: Callable[[], None] | None = None,
) -> list[str]:
    """Train each trial of `program` in its directory; returns each one's problem, empty where there was none.

    A trial with a problem is left at its last checkpoint; the others go on. `resume` goes on from the checkpoints at
    `step`, forgetting later ones, or from the latest. With `recorded`, which is called after each evaluation, the
    trials themselves are quiet. Raises ConfigError and CheckpointError.
    """
    with ExitStack() as stack:
        writing = resume or distributed.is_first()
        managers = [stack.enter_context(checkpoint.open_checkpoints(run_dir)) for run_dir in run_dirs if writing]
        state, collection, seconds = _restored(program, run_dirs, managers, step) if resume else (*program.fresh(), 0.0)
        # None of several processes writes before all have read.
        distributed.agree(False)
        open_one = partial(
            recording,
            setup=program.setup,
            step=_step(state),
            num_devices=program.trial_devices,
            quiet=recorded is not None,
        )
        recorders = [
            stack.enter_context(open_one(run_dir, config, manager))
            for run_dir, config, manager in zip(run_dirs, program.configs, managers or [None], strict=True)
        ]
        if recorded is None:
            _announce(recorders[0], program, state, collection, run_dirs[0])
        _loop(program, recorders, Checkpoint(state, collection, seconds), interruption, recorded or (lambda: None))
    return [recorder.problem for recorder in recorders]


def _restored(
    program: Program, run_dirs: Sequence[Path], managers: Sequence[CheckpointManager], step: int | None
) -> tuple[TrainState, Collection, float]:
    """The checkpoints on the program's devices; hyperparameters are the configurations', not the stored ones."""
    state, collection = program.template()
    stored = []
    for run_dir, manager in zip(run_dirs, managers, strict=True):
        before = directory.load_config(run_dir).train.devices
        shapes = jax.eval_shape(partial(redistribute, num_devices=before), collection)
        stored.append(checkpoint.restore(manager, state, shapes, step))
    for manager in managers if step else ():
        for later in [kept for kept in manager.all_steps() if kept > step]:
            manager.delete(later)
    seconds = max(content.seconds for content in stored)
    config, steps, minutes = program.config.train, int(stored[0].state.env_steps), seconds / 60
    if steps >= config.steps:
        raise ConfigError(f"--train.steps is {config.steps}: the run has {steps} already; give more to go on")
    if 0 < config.max_minutes <= minutes:
        raise ConfigError(f"--train.max_minutes is {config.max_minutes:g}: the run has had {minutes:.1f}; give more")
    parts = [
        (
            content.state.replace(hyper=Hyper.from_config(config.algo)),
            redistribute(content.collection, program.trial_devices),
        )
        for content, config in zip(stored, program.configs, strict=True)
    ]
    return *program.join(parts), seconds


def _loop(
    program: Program,
    recorders: Sequence[Recorder],
    begin: Checkpoint,
    interruption: Interruption,
    recorded: Callable[[], None],
) -> None:
    """Epochs until the steps are done, the time is up or the user interrupts; each stop leaves a checkpoint."""
    config, clock = program.config, Clock(begin.seconds)
    state, collection = begin.state, begin.collection
    if _step(state) == 0:
        state, collection, metrics = program.warmup(state, collection)
        _judge(recorders, program.rows_of(metrics), "the warm-up")
    epochs, done = (_step(state) - program.warmup_steps) // program.epoch_steps, False
    while not done and not all(recorder.problem for recorder in recorders):
        with clock.epoch():
            state, collection, metrics = jax.block_until_ready(program.epoch(state, collection))
        epochs += 1
        step, rows = _step(state), program.rows_of(metrics)
        _judge(recorders, rows, f"the epoch that ended at step {step:,}")
        for recorder, row in zip(recorders, rows, strict=True):
            recorder.progress(step, clock.per_second(program.epoch_steps), row)
        out_of_time = 0 < config.train.max_minutes * 60 <= clock.seconds
        done = distributed.agree(step >= config.train.steps or out_of_time or interruption.requested)
        if done or epochs % config.eval.every == 0:
            _record(program, recorders, Checkpoint(state, collection, clock.seconds), rows, clock)
            recorded()
    if interruption.requested:
        for recorder in recorders:
            recorder.say("stopped as asked; everything is saved")


def _judge(recorders: Sequence[Recorder], rows: Sequence[Row], where: str) -> None:
    """Find the trials whose numbers went bad."""
    for recorder, row in zip(recorders, rows, strict=True):
        if not recorder.problem:
            recorder.judge(row, where)


def _record(
    program: Program, recorders: Sequence[Recorder], content: Checkpoint, rows: Sequence[Row], clock: Clock
) -> None:
    """Evaluate all trials, and write metrics and a checkpoint of each that is sound."""
    if all(recorder.problem for recorder in recorders):
        return
    rates = {
        "steps_per_second": clock.per_second(program.epoch_steps),
        "updates_per_second": clock.per_second(program.epoch_updates),
    }
    keys = [recorder.evaluation_key(_step(content.state)) for recorder in recorders]
    evaluations = program.evaluations(content.state, keys)
    trials = zip(recorders, program.split(content.state, content.collection), evaluations, rows, strict=True)
    for recorder, (state, collection), episodes, row in trials:
        if not recorder.problem:
            recorder.record(Checkpoint(state, collection, content.seconds), episodes, rates | row)


def _announce(recorder: Recorder, program: Program, state: TrainState, collection: Collection, run_dir: Path) -> None:
    """What is about to be done, before it takes long: task, limit and threshold, memory, devices."""
    config, setup, say = program.config, program.setup, recorder.say
    say(f"{config.env.id} ({config.env.backend}) on {program.trial_devices} {program.chosen[0].platform} device(s)")
    for name, limit in config.algo.constraint_limits.items():
        threshold = float(limit_controller.threshold_from_limit(limit, config.algo.gamma, setup.episode_length))
        say(
            f"{name}: limit {limit:g} an episode of {setup.episode_length} steps, gamma {config.algo.gamma:g}: "
            f"threshold {threshold:.3f}"
        )
    here = sum(x.nbytes for x in jax.tree.leaves(collection.replay)) / 2**30
    size = here * program.trial_devices / len(program.chosen)
    say(f"replay of {program.rows * config.env.num_envs:,} steps: {size:.3f} GiB")
    step = _step(state)
    say(f"going on with {run_dir} from step {step:,}" if step else f"results go to {run_dir}")


def _step(state: TrainState) -> int:
    """Environment steps so far: the same for all replicas and trials."""
    return int(jax.tree.map(lambda x: np.asarray(x).flat[0], state.env_steps))
