"""Steps per second on a GPU by the number of environments: of the environments alone, of collection and of training.

`python benchmarks/gpu_throughput.py EXPERIMENT [--envs 1024,4096,16384,65536]` prints one line of JSON for each number.
Training makes as many updates for a step of all environments as the experiment does (`Config.with_envs`); the replay is
kept short. All programs are compiled side by side, before the first one is measured.
"""

import argparse
import json
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any

import jax

from cvpo_jax.config import Config
from cvpo_jax.config.load import load_experiment
from cvpo_jax.profiling import loops
from cvpo_jax.profiling.timing import Compiled, Window, compiled, measure
from cvpo_jax.runtime import memory
from cvpo_jax.training.trainer import Trainer, build

CALL, WARMUP, REPLAY = 32, 8, 48  # steps of each environment: in a compiled call, in the warm-up, in the replay
WINDOW = Window(3, 1.0)


def shortened(config: Config, num_envs: int) -> Config:
    """`config` with `num_envs` environments, a short warm-up, a short replay and short epochs."""
    config = config.with_envs(num_envs)
    steps = {"epoch_steps": CALL * num_envs, "warmup_steps": WARMUP * num_envs, "replay_size": REPLAY * num_envs}
    return replace(config, train=replace(config.train, **steps))


@dataclass(frozen=True)
class Prepared:
    """A trainer, the state it starts from, and its loops, which are being compiled."""

    trainer: Trainer
    start: tuple[Any, Any]
    environment: Future[Compiled]
    collection: Future[Compiled]
    training: Future[Compiled]


def prepare(config: Config, pool: ThreadPoolExecutor) -> Prepared:
    """Build the trainer of `config`, and let `pool` compile its loops."""
    trainer = build(config)
    state, collection = trainer.fresh()
    env = collection.env_state, loops.env_keys(trainer)
    return Prepared(
        trainer,
        (state, collection),
        pool.submit(compiled, loops.environment_loop(trainer), env),
        pool.submit(compiled, loops.collection_loop(trainer), (state, collection)),
        pool.submit(compiled, trainer.epoch, (state, collection)),
    )


def speeds(prepared: Prepared) -> dict[str, Any]:
    """Measure the loops; returns a row of the result without task and device."""
    trainer, (state, collection) = prepared.trainer, prepared.start
    steps, rows = trainer.epoch_steps, []
    arguments = collection.env_state, loops.env_keys(trainer)
    result, (env_state, _) = measure("environment", "steps/s", steps, prepared.environment.result(), arguments, WINDOW)
    rows.append(result.summary())
    training = prepared.training.result()
    collection = collection.replace(env_state=env_state)
    arguments = (state, collection)
    result, arguments = measure("collection", "steps/s", steps, prepared.collection.result(), arguments, WINDOW)
    rows.append(result.summary())
    # Last, since it donates its arguments. What was collected replaces the warm-up.
    rows.append(measure("training", "steps/s", steps, training, arguments, WINDOW)[0].summary())
    updates = trainer.schedule.updates / trainer.schedule.unroll
    return {"envs": trainer.config.env.num_envs, "updates_per_step_of_all": updates, "measurements": rows}


def main() -> None:
    """Measure each number of environments and print a line of JSON for it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(".")[0])
    parser.add_argument("experiment")
    parser.add_argument("--envs", default="1024,4096,16384,65536")
    options = parser.parse_args()
    config = load_experiment(options.experiment)
    with ThreadPoolExecutor() as pool:
        prepared = [prepare(shortened(config, int(count)), pool) for count in options.envs.split(",")]
        # Otherwise, compiling would slow down what is measured.
        wait(each for one in prepared for each in (one.environment, one.collection, one.training))
        for one in prepared:
            row = speeds(one) | {"task": config.env.id, "device": jax.devices()[0].device_kind}
            print(json.dumps(row | {"peak_device_bytes": memory.peak_device_bytes()}), flush=True)


if __name__ == "__main__":
    main()
