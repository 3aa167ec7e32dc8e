"""Throughput of our batches of genuine environments against the package's own: `python -m envs.host_bench [--json]`.

Both step the same number of worker processes, one environment each, through whole episodes with their resets, in
alternating windows of one run. Theirs is the package with only what it needs to be imported today.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from functools import partial
from typing import Any

import numpy as np

from envs.host_pool import WorkerPool
from envs.safety_gymnasium_env import SafetyGymnasiumEnv

_THEIRS = """
import sys, time
import numpy as np
from envs import safety_gymnasium_repairs
package = safety_gymnasium_repairs.load()
from safety_gymnasium.vector import SafetyAsyncVectorEnv
task_id, workers, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
env = SafetyAsyncVectorEnv([lambda: package.make(task_id)] * workers)
env.reset(seed=0)
box = env.action_space
actions = np.random.RandomState(0).uniform(box.low, box.high, (steps, *box.shape))
print("ready", flush=True)
for _ in sys.stdin:
    started = time.perf_counter()
    for action in actions:
        env.step(action)
    print(time.perf_counter() - started, flush=True)
env.close()
"""


def compare(task_id: str, num_workers: int, windows: int) -> dict[str, Any]:
    """Steps per second of both, medians over `windows` of one episode in each of `num_workers` environments."""
    factory = partial(SafetyGymnasiumEnv, task_id)
    spec = factory().spec
    arguments = [task_id, str(num_workers), str(spec.episode_length)]
    theirs = subprocess.Popen(
        [sys.executable, "-c", _THEIRS, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert theirs.stdin and theirs.stdout
    if theirs.stdout.readline() != "ready\n":
        raise RuntimeError(f'the package\'s own vector environment does not run "{task_id}" here')
    pool = WorkerPool(factory, spec, num_workers, num_workers=num_workers, name=task_id)
    pool.reset(np.arange(num_workers, dtype=np.uint32))
    shape = (spec.episode_length, num_workers, spec.action_size)
    actions = np.random.RandomState(0).uniform(-1, 1, shape).astype(np.float32)
    seconds: list[tuple[float, float]] = []
    try:
        for _ in range(windows):
            print(file=theirs.stdin, flush=True)
            of_theirs = float(theirs.stdout.readline())
            seconds.append((_time(pool, actions), of_theirs))
    finally:
        pool.close()
        theirs.stdin.close()
        theirs.wait(60)
    return _summary(task_id, num_workers, spec.episode_length, seconds)


def _time(pool: WorkerPool, actions: np.ndarray) -> float:
    started = time.perf_counter()
    for action in actions:
        pool.step(action)
    return time.perf_counter() - started


def _summary(task_id: str, num_workers: int, steps: int, seconds: list[tuple[float, float]]) -> dict[str, Any]:
    ours, theirs = (num_workers * steps / statistics.median(column) for column in zip(*seconds, strict=True))
    return {
        "task": task_id,
        "workers": num_workers,
        "windows": len(seconds),
        "steps_per_second": ours,
        "steps_per_second_package": theirs,
        "ratio": statistics.median(theirs / ours for ours, theirs in seconds),
    }


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--task", default="SafetyPointGoal1-v0")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--windows", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = compare(options.task, options.workers, options.windows)
    if options.json:
        print(json.dumps(result))
    else:
        ours, theirs = result["steps_per_second"], result["steps_per_second_package"]
        print(f"{result['task']}, {result['workers']} workers, medians of {result['windows']} windows:")
        print(f"{ours:.0f} steps/s, the package's own {theirs:.0f}: {result['ratio']:.2f} times")


if __name__ == "__main__":
    main()
