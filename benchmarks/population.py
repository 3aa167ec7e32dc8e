"""Updates a second of a population of trials on one device, against one: `python benchmarks/population.py COUNT`."""

import json
import sys
from functools import partial

import jax
import jax.numpy as jnp

from cvpo_jax import AlgoConfig, Batch, devices, learner
from cvpo_jax.measure import Measurement, Window, measure
from cvpo_jax.types import Hyper, Setup, TrainState
from cvpo_jax.update import update

UPDATES = 20
SIZES = {"observation_size": 60, "action_size": 2, "num_constraints": 1, "episode_length": 1000}


def make_batch(key: jax.Array, size: int) -> Batch:
    """Random transitions."""
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


def speed(count: int) -> Measurement:
    """Updates a second of `count` trials together."""
    algo = AlgoConfig()
    setup, hyper = Setup.from_config(algo, **SIZES), Hyper.from_config(algo)
    keys = jax.random.split(jax.random.PRNGKey(0), count)
    states = devices.strong(jax.vmap(partial(learner.init_state, setup, hyper))(keys))
    batches = jax.vmap(partial(make_batch, size=algo.batch_size))(keys)

    def several(states: TrainState) -> tuple[TrainState]:
        step = lambda states, _: (jax.vmap(update)(states, batches)[0], None)  # noqa: E731
        return (jax.lax.scan(step, states, None, length=UPDATES)[0],)

    work = count * UPDATES
    return measure(f"population of {count}", "updates/s", work, jax.jit(several), (states,), Window(3, 1.0))[0]


def main() -> None:
    """Measure one trial and all of them; print JSON."""
    count = int(sys.argv[1])
    alone, together = speed(1), speed(count)
    report = {"measurements": [alone.summary(), together.summary()], "ratio": together.median / alone.median}
    print(json.dumps(report | {"device": jax.devices()[0].device_kind}))


if __name__ == "__main__":
    main()
