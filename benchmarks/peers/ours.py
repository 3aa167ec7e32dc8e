"""Our side of each pair, on PointButton1: `update` and `training` at FSRL's navigation setting, the `environment`, and
training as Brax's SAC does it (`sac`). `stratified…` are the same with the 8 samples that serve as 16, `rounded…` also
multiply in bfloat16 (README.md).
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from sac_peer import ENVS, STEPS, TASK, UPDATES_PER_STEP
from window import serve

from cvpo_jax import AlgoConfig, Config, ControllerConfig, EnvConfig, TrainConfig
from cvpo_jax.algorithm.state import Hyperparameters, StaticConfig, init_train_state
from cvpo_jax.experience import replay
from cvpo_jax.experience.replay import Transition
from cvpo_jax.runtime import compilation_cache, devices
from cvpo_jax.training import trainer
from cvpo_jax.training.epoch import make_learn
from envs import make, vectorize

FSRL = AlgoConfig(
    samples=16,
    gamma=0.995,
    n_step=3,
    kl_estep=0.02,
    target_rate=0.05,
    reward_critics=1,
    cost_critics=1,
    quantiles=1,
    layer_norm=False,
)
OBSERVATION, ACTION = 76, 2


def updates(algo: AlgoConfig) -> Callable[[], float]:
    """Twenty updates per call, from random transitions in episodes of 1000 steps."""
    config, envs, rows, count = Config(algo=algo, env=EnvConfig(num_envs=10)), 10, 2000, 20
    sizes = {"observation_size": OBSERVATION, "action_size": ACTION, "num_constraints": 1, "episode_length": 1000}
    static = StaticConfig.from_config(algo, ControllerConfig(), **sizes)
    keys = jax.random.split(jax.random.PRNGKey(0), 6)
    ends = jnp.arange(rows)[:, None] % 1000 == 999
    steps = Transition(
        observation=jax.random.normal(keys[0], (rows, envs, OBSERVATION)),
        action=jax.random.uniform(keys[1], (rows, envs, ACTION), minval=-1),
        reward=jax.random.normal(keys[2], (rows, envs)),
        cost=jax.random.uniform(keys[3], (rows, envs, 1)),
        done=jnp.zeros((rows, envs)),
        truncation=jnp.broadcast_to(ends, (rows, envs)).astype(jnp.float32),
    )
    state = init_train_state(static, Hyperparameters.from_config(algo), keys[4])
    carry = devices.without_weak_types((state, keys[5], replay.Replay(steps, jnp.int32(0), jnp.int32(rows))))
    learn = partial(make_learn(config, 1), axis_name=None)
    function = jax.jit(lambda *carry: jax.lax.scan(learn, carry, None, length=count)[0], donate_argnums=(0, 1, 2))
    return repeat(function, carry, count)


def environment() -> Callable[[], float]:
    """A hundred steps per call of a batch of environments under random actions."""
    env, count = vectorize(make(TASK), ENVS, staggered=True), 100

    def step(carry: tuple, _: None) -> tuple[tuple, None]:
        env_state, key = carry
        key, key_action = jax.random.split(key)
        action = jax.random.uniform(key_action, (ENVS, env.action_size), minval=-1.0, maxval=1.0)
        return (env.step(env_state, action), key), None

    function = jax.jit(lambda *carry: jax.lax.scan(step, carry, None, length=count)[0])
    return repeat(function, (env.reset(jax.random.PRNGKey(0)), jax.random.PRNGKey(1)), count * ENVS)


def training(algo: AlgoConfig, num_envs: int, updates_per_step: float, steps: int) -> Callable[[], float]:
    """An epoch of whole training per call."""
    train = TrainConfig(updates_per_step=updates_per_step, warmup_steps=2000, epoch_steps=steps, replay_size=200_000)
    built = trainer.build(Config(algo=algo, env=EnvConfig(id=TASK, num_envs=num_envs), train=train))
    state, collection = built.fresh()
    state, collection, _ = built.warmup(state, collection)
    return repeat(built.epoch, (state, collection), built.epoch_steps)


def repeat(function: Callable[..., tuple], arguments: tuple, units: float) -> Callable[[], float]:
    """Work of `units` per call; each call continues from the result of the last one."""
    carry: list[Any] = [arguments]

    def work() -> float:
        carry[0] = jax.block_until_ready(function(*carry[0]))[: len(arguments)]
        return float(units)

    return work


WORKS: dict[str, Callable[[], Callable[[], float]]] = {
    "update": partial(updates, FSRL),
    "stratified": partial(updates, replace(FSRL, samples=8)),
    "rounded": partial(updates, replace(FSRL, samples=8, matmul_dtype="bfloat16")),
    "training": partial(training, FSRL, 250, 0.2, 1000),
    "stratified-training": partial(training, replace(FSRL, samples=8), 250, 0.2, 1000),
    "rounded-training": partial(training, replace(FSRL, samples=8, matmul_dtype="bfloat16"), 250, 0.2, 1000),
    "environment": environment,
    "sac": partial(training, AlgoConfig(), ENVS, UPDATES_PER_STEP, STEPS),
}

if __name__ == "__main__":
    compilation_cache.enable_cache()
    serve(WORKS[sys.argv[1]]())
