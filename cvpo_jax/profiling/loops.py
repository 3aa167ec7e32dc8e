"""The stages of training by themselves, each as a loop as long as an epoch, placed on the trainer's devices.

A loop's result begins with the arguments of its next call, as `timing.measure` asks.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp

from cvpo_jax.experience import rollout
from cvpo_jax.runtime import devices
from cvpo_jax.training.epoch import make_learn
from cvpo_jax.training.trainer import Trainer


def env_keys(trainer: Trainer) -> jax.Array:
    """A key for each device, `[D, 2]`: the second argument of `environment_loop`."""
    return jnp.tile(jax.random.PRNGKey(0), (len(trainer.chosen), 1))


def epoch_length(trainer: Trainer) -> int:
    """Steps that each environment makes in an epoch."""
    return trainer.schedule.iterations * trainer.schedule.unroll


def environment_loop(trainer: Trainer) -> Callable:
    """All environments under random actions: a function of their state and keys."""
    env = trainer.env

    def step(carry: tuple, _: None) -> tuple[tuple, None]:
        env_state, key = carry
        key, key_action = jax.random.split(key)
        action = jax.random.uniform(key_action, (env.num_envs, env.action_size), minval=-1.0, maxval=1.0)
        return (env.step(env_state, action), key), None

    def loop(*carry: jax.Array) -> tuple:
        return jax.lax.scan(step, carry, None, length=epoch_length(trainer))[0]

    return devices.parallel(loop, trainer.chosen)


def collection_loop(trainer: Trainer) -> Callable:
    """Acting by the policy and writing to the replay: a function of training state and collectors."""
    steps = epoch_length(trainer)
    collect = partial(rollout.collect, trainer.env, steps=steps, random=False, axis_name=devices.AXIS_NAME)
    return devices.parallel(collect, trainer.chosen)


def update_loop(trainer: Trainer) -> Callable:
    """Updates, each with its draw from the replay: a function of training state, keys and replays."""
    learn = partial(make_learn(trainer.config, len(trainer.chosen)), axis_name=devices.AXIS_NAME)

    def loop(*carry: jax.Array) -> tuple:
        return jax.lax.scan(learn, carry, None, length=trainer.epoch_updates)[0]

    return devices.parallel(loop, trainer.chosen)
