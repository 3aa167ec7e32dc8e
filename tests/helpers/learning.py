"""A small training state and batches for it."""

import jax
import jax.numpy as jnp

from cvpo_jax import AlgoConfig, Batch
from cvpo_jax.algorithm.state import Hyperparameters, StaticConfig, TrainState, init_train_state

ALGO = AlgoConfig(hidden=(16, 16), samples=8, batch_size=16)
STATIC = StaticConfig.from_config(ALGO, observation_size=3, action_size=2, num_constraints=1, episode_length=100)


def make_state(seed: int = 0, static: StaticConfig = STATIC) -> TrainState:
    return init_train_state(static, Hyperparameters.from_config(ALGO), jax.random.PRNGKey(seed))


def make_batch(seed: int = 0, size: int = 16) -> Batch:
    keys = jax.random.split(jax.random.PRNGKey(seed), 6)
    return Batch(
        observation=jax.random.normal(keys[0], (size, 3)),
        action=jax.random.uniform(keys[1], (size, 2), minval=-1),
        reward=jax.random.normal(keys[2], (size,)),
        cost=jax.random.uniform(keys[3], (size, 1)),
        next_observation=jax.random.normal(keys[4], (size, 3)),
        discount=jnp.full(size, 0.9),
        policy_observation=jax.random.normal(keys[5], (size, 3)),
    )
