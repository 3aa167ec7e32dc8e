"""The initial training state."""

import jax
import jax.numpy as jnp
import optax
from brax.training.acme import running_statistics
from brax.training.types import UInt64

from cvpo_jax.algorithm.estep import Duals
from cvpo_jax.algorithm.limit_controller import initial_controller
from cvpo_jax.algorithm.state import Hyperparameters, KLMultipliers, StaticConfig, TrainState


def init_train_state(static: StaticConfig, hyperparameters: Hyperparameters, key: jax.Array) -> TrainState:
    """Fresh networks, optimizers, duals and counters from `key`."""
    key, key_actor, key_critics = jax.random.split(key, 3)
    observation = jnp.zeros((1, static.observation_size))
    actor = static.actor.init(key_actor, observation)
    critics = static.critics.init(key_critics, observation, jnp.zeros((1, static.action_size)))
    return TrainState(
        static=static,
        hyperparameters=hyperparameters,
        actor=actor,
        # Copies, since the state is donated and a buffer may be given away only once.
        old_actor=jax.tree.map(jnp.copy, actor),
        average_actor=jax.tree.map(jnp.copy, actor),
        critics=critics,
        target_critics=jax.tree.map(jnp.copy, critics),
        actor_optimizer=optax.adam(hyperparameters.actor_lr).init(actor),
        critic_optimizer=optax.adam(hyperparameters.critic_lr).init(critics),
        duals=Duals.initial(static.num_constraints),
        multipliers=KLMultipliers(jnp.ones(()), jnp.ones(())),
        controller=initial_controller(static.num_constraints, static.free_updates),
        observation_statistics=running_statistics.init_state(
            jax.ShapeDtypeStruct((static.observation_size,), jnp.float32)
        ),
        updates=UInt64(hi=0, lo=0),
        env_steps=UInt64(hi=0, lo=0),
        key=key,
    )
