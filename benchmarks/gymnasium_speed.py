"""Steps per second of a port by Gymnasium's interface: `python benchmarks/gymnasium_speed.py [--num_envs N ...]`."""

import argparse
import time

import gymnasium
import numpy as np

import envs


def measure(task_id: str, num_envs: int, seconds: float) -> float:
    """Steps of all environments in a second, by random actions, after a first step that compiles."""
    vector = gymnasium.make_vec(f"cvpo_jax/{task_id}", num_envs=num_envs)
    vector.reset(seed=0)
    actions = np.random.RandomState(0).uniform(-1, 1, (16, num_envs, *vector.single_action_space.shape))
    vector.step(actions[0])
    steps, start = 0, time.perf_counter()
    while time.perf_counter() < start + seconds:
        vector.step(actions[steps % len(actions)])
        steps += 1
    return steps * num_envs / (time.perf_counter() - start)


def main() -> None:
    """Print a line for each number of environments."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0])
    parser.add_argument("--id", default="SafetyPointGoal1-v0", choices=envs.task_ids(), metavar="ID", help="the task")
    parser.add_argument("--num_envs", type=int, nargs="+", default=[1, 64, 1024], metavar="N")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    options = parser.parse_args()
    for num_envs in options.num_envs:
        rate = measure(options.id, num_envs, options.seconds)
        print(f"{num_envs:>6,} environments: {rate:>10,.0f} steps/s", flush=True)


if __name__ == "__main__":
    main()
