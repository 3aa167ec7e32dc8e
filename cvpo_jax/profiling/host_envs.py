"""Our batches of genuine environments against the package's own: part of `bench` with `--env.backend gymnasium`.

Both step the same number of worker processes, one environment each, through whole episodes with their resets; and one
environment of each is reset by itself. Windows of both alternate in one run, so that the ratios hold on a busy machine
too. Theirs is the package with only what it needs to be imported today.
"""

import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from envs.host.pool import WorkerPool
from envs.safety_gymnasium.env import SafetyGymnasiumEnv

_RESETS = 3  # a window
_THEIRS = """
import sys, time
import numpy as np
from envs.safety_gymnasium import compat
package = compat.load()
from safety_gymnasium.vector import SafetyAsyncVectorEnv
task_id, workers, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
env = SafetyAsyncVectorEnv([lambda: package.make(task_id)] * workers)
env.reset(seed=0)
box = env.action_space
actions = np.random.RandomState(0).uniform(box.low, box.high, (steps, *box.shape))
alone = package.make(task_id)
print("ready", flush=True)
for line in sys.stdin:
    started = time.perf_counter()
    if line.startswith("reset"):
        alone.reset(seed=int(line.split()[1]))
    else:
        for action in actions:
            env.step(action)
    print(time.perf_counter() - started, flush=True)
env.close()
"""


def compare(task_id: str, num_workers: int, windows: int) -> dict[str, Any]:
    """Steps and seconds a reset of both: medians over `windows`, each an episode in `num_workers` environments.

    Raises RuntimeError where the package's own vector environment does not run.
    """
    factory = partial(SafetyGymnasiumEnv, task_id)
    alone = factory()
    spec = alone.spec
    pool = WorkerPool(factory, spec, num_workers, num_workers=num_workers, name=task_id)
    pool.reset(np.arange(num_workers, dtype=np.uint32))
    shape = (spec.episode_length, num_workers, spec.action_size)
    actions = np.random.RandomState(0).uniform(-1, 1, shape).astype(np.float32)
    steps: list[tuple[float, float]] = []
    resets: list[tuple[float, float]] = []
    try:
        with _theirs(task_id, num_workers, spec.episode_length) as ask:
            for window in range(windows):
                of_theirs = ask("steps")
                steps.append((_time(partial(_step_through, pool, actions)), of_theirs))
                for seed in range(_RESETS * window, _RESETS * (window + 1)):
                    of_theirs = ask(f"reset {seed}")
                    resets.append((_time(partial(alone.reset, seed)), of_theirs))
    finally:
        pool.close()
    return _summary(task_id, num_workers, num_workers * spec.episode_length, steps, resets)


@contextlib.contextmanager
def _theirs(task_id: str, num_workers: int, steps: int) -> Iterator[Callable[[str], float]]:
    """A process with the package's own environments: asked for something, it answers how many seconds it took."""
    process = subprocess.Popen(
        [sys.executable, "-c", _THEIRS, task_id, str(num_workers), str(steps)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin and process.stdout
    requests, answers = process.stdin, process.stdout

    def ask(what: str) -> float:
        print(what, file=requests, flush=True)
        return float(answers.readline())

    try:
        if answers.readline() != "ready\n":
            raise RuntimeError(f'the package\'s own vector environment does not run "{task_id}" here')
        yield ask
    finally:
        requests.close()
        process.wait(60)


def _step_through(pool: WorkerPool, actions: np.ndarray) -> None:
    for action in actions:
        pool.step(action)


def _time(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _summary(
    task_id: str, num_workers: int, steps: int, seconds: list[tuple[float, float]], resets: list[tuple[float, float]]
) -> dict[str, Any]:
    ours, theirs = (steps / statistics.median(column) for column in zip(*seconds, strict=True))
    our_reset, their_reset = (statistics.median(column) for column in zip(*resets, strict=True))
    return {
        "task": task_id,
        "workers": num_workers,
        "windows": len(seconds),
        "steps_per_second": ours,
        "steps_per_second_package": theirs,
        "ratio": statistics.median(theirs / ours for ours, theirs in seconds),
        "ratio_low": min(theirs / ours for ours, theirs in seconds),
        "reset_seconds": our_reset,
        "reset_seconds_package": their_reset,
        "reset_ratio": statistics.median(theirs / ours for ours, theirs in resets),
    }


def table(result: dict[str, Any]) -> str:
    """What `compare` found, in words."""
    head = f"{result['task']}, {result['workers']} workers, medians of {result['windows']} windows:"
    steps = (
        f"{result['steps_per_second']:.0f} steps/s, the package's own {result['steps_per_second_package']:.0f}: "
        f"{result['ratio']:.2f} times (at least {result['ratio_low']:.2f} in each window)"
    )
    resets = (
        f"{1000 * result['reset_seconds']:.1f} ms a reset, the package's own "
        f"{1000 * result['reset_seconds_package']:.0f}: {result['reset_ratio']:.0f} times cheaper"
    )
    return "\n".join([head, steps, resets])
