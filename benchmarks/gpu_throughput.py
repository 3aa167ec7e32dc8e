"""Steps a second on a GPU by number of environments: alone, collected and trained on.

`python benchmarks/gpu_speeds.py EXPERIMENT [--envs 1024,4096,16384,65536]`, JSON. Training makes as many updates a step
of all environments as the experiment does (`Config.with_envs`); the replay is kept short. All is compiled at once.
"""

import argparse
import json
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any

import jax

from cvpo_jax import bench
from cvpo_jax.config.config import Config
from cvpo_jax.config.load import load_experiment
from cvpo_jax.profiling.timing import Compiled, Window, compiled, measure
from cvpo_jax.runtime import memory
from cvpo_jax.training.trainer import Trainer, build

CALL, WARMUP, REPLAY = 32, 8, 48  # steps of each environment: in one call, before the first update, in the replay
WINDOW = Window(3, 1.0)


def shortened(config: Config, num_envs: int) -> Config:
    """`config` with `num_envs` environments, in short calls."""
    config = config.with_envs(num_envs)
    steps = {"epoch_steps": CALL * num_envs, "warmup_steps": WARMUP * num_envs, "replay_size": REPLAY * num_envs}
    return replace(config, train=replace(config.train, **steps))


@dataclass(frozen=True)
class Prepared:
    """A program, where it starts from, and its loops, which are being compiled."""

    program: Trainer
    start: tuple[Any, Any]
    environment: Future[Compiled]
    collection: Future[Compiled]
    training: Future[Compiled]


def prepare(config: Config, pool: ThreadPoolExecutor) -> Prepared:
    """Build it, and have `pool` compile its loops."""
    program = build(config)
    state, collection = program.fresh()
    env = collection.env_state, bench.env_keys(program)
    return Prepared(
        program,
        (state, collection),
        pool.submit(compiled, bench.environment_loop(program), env),
        pool.submit(compiled, bench.collection_loop(program), (state, collection)),
        pool.submit(compiled, program.epoch, (state, collection)),
    )


def speeds(prepared: Prepared) -> dict[str, Any]:
    """Steps a second of each loop."""
    program, (state, collection) = prepared.program, prepared.start
    steps, rows = program.epoch_steps, []
    arguments = collection.env_state, bench.env_keys(program)
    result, (env_state, _) = measure("environment", "steps/s", steps, prepared.environment.result(), arguments, WINDOW)
    rows.append(result.summary())
    training = prepared.training.result()
    collection = collection.replace(env_state=env_state)
    arguments = (state, collection)
    result, arguments = measure("collection", "steps/s", steps, prepared.collection.result(), arguments, WINDOW)
    rows.append(result.summary())
    # Last, since it donates its arguments; what was collected stands for a warm-up.
    rows.append(measure("training", "steps/s", steps, training, arguments, WINDOW)[0].summary())
    updates = program.schedule.updates / program.schedule.unroll
    return {"envs": program.config.env.num_envs, "updates_per_step_of_all": updates, "measurements": rows}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(".")[0])
    parser.add_argument("experiment")
    parser.add_argument("--envs", default="1024,4096,16384,65536")
    options = parser.parse_args()
    config = load_experiment(options.experiment)
    with ThreadPoolExecutor() as pool:
        prepared = [prepare(shortened(config, int(count)), pool) for count in options.envs.split(",")]
        # Compiling would be measured too.
        wait(each for one in prepared for each in (one.environment, one.collection, one.training))
        for one in prepared:
            row = speeds(one) | {"task": config.env.id, "device": jax.devices()[0].device_kind}
            print(json.dumps(row | {"peak_device_bytes": memory.peak_device_bytes()}), flush=True)


if __name__ == "__main__":
    main()
