"""The training loop: warm-up, then epochs, with an evaluation and a checkpoint every few of them."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import jax
import numpy as np
from orbax.checkpoint import CheckpointManager

from cvpo_jax.algorithm.state import Hyperparameters, TrainState
from cvpo_jax.config import Config, ConfigError
from cvpo_jax.experience.rollout import CollectorState
from cvpo_jax.runs import checkpoint, directory
from cvpo_jax.runs.callbacks import Callback
from cvpo_jax.runs.checkpoint import Checkpoint
from cvpo_jax.runs.metrics import Row
from cvpo_jax.runs.recorder import Parts, Recorder, open_recorder
from cvpo_jax.runtime import distributed
from cvpo_jax.runtime.files import only_writer
from cvpo_jax.runtime.interrupt import StopRequest, interruptible
from cvpo_jax.training.announcement import announce
from cvpo_jax.training.own_env import with_backend, with_env
from cvpo_jax.training.reshard import reshard
from cvpo_jax.training.timer import Timer
from cvpo_jax.training.trainer import build
from cvpo_jax.training.trial_set import TrialSet
from envs import host_scope


class TrainingError(RuntimeError):
    """Training cannot go on; the message says why and what to do."""


def train(
    config: Config,
    env: Callable[..., Any] | None = None,
    callbacks: Sequence[Callback] = (),
    *,
    resume: Path | None = None,
) -> Path:
    """Train as `config` says, or resume the run in `resume`; returns the run directory.

    `env` is a function or class at the top of a module that makes an environment of the user's own, in place of the one
    that `config.env.id` names. `callbacks` are told what the run comes to. Raises ConfigError, CheckpointError or
    TrainingError, each with one line that says what to do.
    """
    config = with_backend(with_env(config, env) if env else config)
    config = directory.resumable(resume, config) if resume else config.validate().complete()
    run_dir = resume or (directory.choose(config) if distributed.is_first() else Path(config.run_dir or ""))
    with held([run_dir]), host_scope(), interruptible() as stop:
        (problem,) = train_trials(build(config), [run_dir], stop, resume=bool(resume), callbacks=callbacks)
    if problem:
        raise TrainingError(problem)
    return run_dir


@contextmanager
def held(run_dirs: Sequence[Path]) -> Iterator[None]:
    """Keep other processes out of the directories, which are made; raises ConfigError where one is in there already."""
    with ExitStack() as stack:
        for run_dir in run_dirs if distributed.is_first() else ():
            stack.enter_context(only_writer(run_dir))
        yield


def train_trials(
    trials: TrialSet,
    run_dirs: Sequence[Path],
    stop: StopRequest,
    *,
    resume: bool,
    step: int | None = None,
    recorded: Callable[[], None] | None = None,
    callbacks: Sequence[Callback] = (),
) -> list[str]:
    """Train each trial of `trials` in its directory, `held`; returns each one's problem, empty where there was none.

    A trial with a problem is left at its last checkpoint; the others go on. `resume` goes on from the checkpoints at
    `step`, forgetting later ones, or from the latest. With `recorded`, which is called after each evaluation, the
    trials themselves are quiet; `callbacks` are told of a single trial. Raises ConfigError and CheckpointError.
    """
    with ExitStack() as stack:
        first = distributed.is_first()
        opened = run_dirs if first or resume else ()
        managers = [stack.enter_context(checkpoint.open_checkpoints(run_dir, writing=first)) for run_dir in opened]
        state, collector, seconds = _restored(trials, run_dirs, managers, step) if resume else (*trials.fresh(), 0.0)
        # None of several processes writes before all have read.
        distributed.any_process(False)
        open_one = partial(
            open_recorder,
            static=trials.static,
            step=_step(state),
            num_devices=trials.trial_devices,
            quiet=recorded is not None,
            callbacks=callbacks,
        )
        recorders = [
            stack.enter_context(open_one(run_dir, config, manager))
            for run_dir, config, manager in zip(run_dirs, trials.configs, managers or [None], strict=True)
        ]
        if recorded is None:
            announce(recorders[0].say, trials, collector, _step(state), run_dirs[0])
        _loop(trials, recorders, Checkpoint(state, collector, seconds), stop, recorded or (lambda: None))
    return [recorder.problem for recorder in recorders]


def _restored(
    trials: TrialSet, run_dirs: Sequence[Path], managers: Sequence[CheckpointManager], step: int | None
) -> tuple[TrainState, CollectorState, float]:
    """The checkpoints on their devices; hyperparameters are the configurations', not the stored ones."""
    state, collector = trials.template()
    stored = []
    for run_dir, manager in zip(run_dirs, managers, strict=True):
        before = directory.load_config(run_dir).train.devices or trials.trial_devices
        shapes = jax.eval_shape(partial(reshard, num_devices=before), collector)
        stored.append(checkpoint.restore(manager, state, shapes, step))
    for manager in managers if step else ():
        for later in [kept for kept in manager.all_steps() if kept > step]:
            manager.delete(later)
    seconds = max(content.seconds for content in stored)
    config, steps, minutes = trials.config.train, int(stored[0].state.env_steps), seconds / 60
    wanted = trials.config.scale.steps
    if steps >= wanted:
        raise ConfigError(f"--train.steps is {wanted}: the run has {steps} already; give more to go on")
    if config.out_of_time(seconds):
        raise ConfigError(f"--train.max_minutes is {config.max_minutes:g}: the run has had {minutes:.1f}; give more")
    parts = [
        (
            content.state.replace(hyperparameters=Hyperparameters.from_config(config.algo)),
            reshard(content.collector, trials.trial_devices),
        )
        for content, config in zip(stored, trials.configs, strict=True)
    ]
    return *trials.join(parts), seconds


def _loop(
    trials: TrialSet,
    recorders: Sequence[Recorder],
    begin: Checkpoint,
    stop: StopRequest,
    recorded: Callable[[], None],
) -> None:
    """Epochs until the steps are done, the time is up or the user interrupts; each stop leaves a checkpoint."""
    config, timer = trials.config, Timer(begin.seconds)
    state, collector = begin.state, begin.collector
    if _step(state) == 0:
        with timer.epoch():
            state, collector, metrics = jax.block_until_ready(trials.warmup(state, collector))
        _judge(trials, recorders, state, collector, trials.rows_of(metrics), "the warm-up")
    compiled = _compile_evaluation(trials, recorders, state)
    epochs, done = (_step(state) - trials.warmup_steps) // trials.epoch_steps, False
    while not done and not all(recorder.problem for recorder in recorders):
        with timer.epoch():
            state, collector, metrics = jax.block_until_ready(trials.epoch(state, collector))
        epochs += 1
        step, rows = _step(state), trials.rows_of(metrics)
        _judge(trials, recorders, state, collector, rows, _epoch(step))
        for recorder, row in zip(recorders, rows, strict=True):
            recorder.progress(step, timer.per_second(trials.epoch_steps), row)
        over = step >= config.scale.steps or config.train.out_of_time(timer.seconds)
        done = distributed.any_process(over or stop.requested)
        if done or epochs % config.eval.every == 0:
            compiled.result()
            _record(trials, recorders, Checkpoint(state, collector, timer.seconds), rows, timer)
            recorded()
            # Callbacks are told in the first process alone, and all must stop together.
            done = distributed.any_process(done or all(recorder.problem for recorder in recorders))
    if stop.requested:
        for recorder in recorders:
            recorder.say("stopped as asked; everything is saved")


def _compile_evaluation(trials: TrialSet, recorders: Sequence[Recorder], state: TrainState) -> "Future[None]":
    """Begin to compile what evaluates beside the first epochs, which leave most of a second core idle."""
    arguments = trials.evaluation_arguments(state, _evaluation_keys(recorders, state))
    beside = ThreadPoolExecutor(max_workers=1)
    compiled = beside.submit(trials.compile_evaluation, arguments)
    beside.shutdown(wait=False)
    return compiled


def _evaluation_keys(recorders: Sequence[Recorder], state: TrainState) -> list[jax.Array]:
    return [recorder.evaluation_key(_step(state)) for recorder in recorders]


def _judge(
    trials: TrialSet,
    recorders: Sequence[Recorder],
    state: TrainState,
    collector: CollectorState,
    rows: Sequence[Row],
    where: str,
) -> None:
    """Find the trials whose numbers went bad."""
    for index, (recorder, row) in enumerate(zip(recorders, rows, strict=True)):
        if not recorder.problem:
            recorder.judge(row, where, partial(_part, trials, state, collector, index))


def _part(trials: TrialSet, state: TrainState, collector: CollectorState, index: int) -> Parts:
    """The trial at `index` of `state` and `collector`."""
    return next(islice(trials.split(state, collector), index, None))


def _epoch(step: int) -> str:
    return f"the epoch that ended at step {step:,}"


def _record(
    trials: TrialSet, recorders: Sequence[Recorder], content: Checkpoint, rows: Sequence[Row], timer: Timer
) -> None:
    """Evaluate all trials, and write metrics and a checkpoint of each that is sound."""
    if all(recorder.problem for recorder in recorders):
        return
    rates = {
        "steps_per_second": timer.per_second(trials.epoch_steps),
        "updates_per_second": timer.per_second(trials.epoch_updates),
    }
    evaluations = trials.evaluations(content.state, _evaluation_keys(recorders, content.state))
    shares = zip(recorders, trials.split(content.state, content.collector), evaluations, rows, strict=True)
    for recorder, (state, collector), episodes, row in shares:
        if not recorder.problem:
            recorder.judge_stored(state, episodes, _epoch(_step(state)))
        if not recorder.problem:
            recorder.record(Checkpoint(state, collector, content.seconds), episodes, rates | row)


def _step(state: TrainState) -> int:
    """Environment steps so far: the same for all replicas and trials."""
    return int(jax.tree.map(lambda x: np.asarray(x).flat[0], state.env_steps))
