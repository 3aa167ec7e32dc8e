"""Updates per second of one trial and of a population on one device: `python benchmarks/population_updates.py COUNT`.

With `--batches 1024,4096` also those of one trial with larger batches, at three matmul precisions: a GPU computes
float32 products in tensorfloat32 unless JAX_DEFAULT_MATMUL_PRECISION is `highest`. Prints JSON.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from cvpo_jax import AlgoConfig, Batch, ControllerConfig
from cvpo_jax.algorithm.state import Hyperparameters, StaticConfig, TrainState, init_train_state
from cvpo_jax.algorithm.update import update
from cvpo_jax.profiling.timing import Compiled, Window, compiled, measure
from cvpo_jax.runtime import devices

UPDATES = 20
PRECISIONS = ("highest", "tensorfloat32", "bfloat16")
"""The last one is `--algo.matmul_dtype`, the others are set by JAX's own option."""
SIZES = {"observation_size": 60, "action_size": 2, "num_constraints": 1, "episode_length": 1000}


def make_batch(key: jax.Array, size: int) -> Batch:
    """A batch of `size` random transitions."""
    keys = jax.random.split(key, 3)
    observation = jax.random.normal(keys[0], (2, size, SIZES["observation_size"]))
    return Batch(
        observation=observation[0],
        action=jax.random.uniform(keys[1], (size, SIZES["action_size"]), minval=-1),
        reward=observation[0, :, 0],
        cost=jax.random.uniform(keys[2], (size, 1)),
        next_observation=observation[1],
        discount=jnp.full(size, 0.94),
        policy_observation=observation[0],
    )


def prepare(algo: AlgoConfig, count: int) -> tuple[TrainState, Callable[..., tuple[TrainState]]]:
    """States of `count` trials, and a function that makes UPDATES updates of all of them."""
    static = StaticConfig.from_config(algo, ControllerConfig(), **SIZES)
    hyperparameters = Hyperparameters.from_config(algo)
    keys = jax.random.split(jax.random.PRNGKey(0), count)
    states = devices.without_weak_types(jax.vmap(partial(init_train_state, static, hyperparameters))(keys))
    batches = jax.vmap(partial(make_batch, size=algo.batch_size))(keys)

    def several(states: TrainState) -> tuple[TrainState]:
        step = lambda states, _: (jax.vmap(update)(states, batches)[0], None)  # noqa: E731
        return (jax.lax.scan(step, states, None, length=UPDATES)[0],)

    return states, several


def speed(name: str, count: int, states: TrainState, made: Compiled) -> dict[str, Any]:
    """Updates per second of `count` trials together, and the operations that XLA counts in an update."""
    summary = measure(name, "updates/s", count * UPDATES, made, (states,), Window(3, 1.0))[0].summary()
    # XLA counts the body of the scan, and those of the dual's loops, once.
    return summary | {"flops": made.call.cost_analysis().get("flops", float("nan")) / count}  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Case:
    """What is measured: `count` trials together, under JAX's option for the precision of float32 products."""

    name: str
    count: int
    algo: AlgoConfig = field(default_factory=AlgoConfig)
    precision: str | None = None


def cases(count: int, batches: Sequence[int]) -> list[Case]:
    """One trial, the population, and one trial at each batch size and precision."""
    result = [Case("alone", 1), Case(f"population of {count}", count)]
    for size in batches:
        for precision in PRECISIONS:
            name = f"batch of {size}, {precision}"
            if precision == "bfloat16":
                result.append(Case(name, 1, AlgoConfig(batch_size=size, matmul_dtype="bfloat16")))
            else:
                result.append(Case(name, 1, AlgoConfig(batch_size=size), precision))
    return result


def main() -> None:
    """Measure one trial and the population; print JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0])
    parser.add_argument("count", type=int)
    parser.add_argument("--batches", default="", help="batch sizes of a single trial, as in 1024,4096")
    options = parser.parse_args()
    jobs = []
    with ThreadPoolExecutor() as pool:
        for case in cases(options.count, [int(size) for size in options.batches.split(",") if size]):
            with jax.default_matmul_precision(case.precision):
                states, several = prepare(case.algo, case.count)
                lowered: Any = jax.jit(several).trace(states)
                jobs.append((case, states, pool.submit(compiled, lowered, ())))
        wait(made for *_, made in jobs)  # otherwise, compiling would slow down what is measured
        rows = [speed(case.name, case.count, states, made.result()) for case, states, made in jobs]
    ratio = rows[1]["per_second"] / rows[0]["per_second"]
    print(json.dumps({"measurements": rows, "ratio": ratio, "device": jax.devices()[0].device_kind}))


if __name__ == "__main__":
    main()
