"""The initial training state."""

import jax
import jax.numpy as jnp
import optax
from brax.training.acme import running_statistics
from brax.training.types import UInt64

from cvpo_jax.algorithm.estep import Duals
from cvpo_jax.algorithm.limit_controller import initial_controller
from cvpo_jax.algorithm.state import Hyper, Multipliers, Setup, TrainState


def init_state(setup: Setup, hyper: Hyper, key: jax.Array) -> TrainState:
    """Fresh networks, optimizers, duals and counters from `key`."""
    key, key_actor, key_critics = jax.random.split(key, 3)
    observation = jnp.zeros((1, setup.observation_size))
    actor = setup.actor.init(key_actor, observation)
    critics = setup.critics.init(key_critics, observation, jnp.zeros((1, setup.action_size)))
    return TrainState(
        setup=setup,
        hyper=hyper,
        actor=actor,
        # Copies, since the state is donated and a buffer may be given away only once.
        old_actor=jax.tree.map(jnp.copy, actor),
        average_actor=jax.tree.map(jnp.copy, actor),
        critics=critics,
        target_critics=jax.tree.map(jnp.copy, critics),
        actor_optimizer=optax.adam(hyper.actor_lr).init(actor),
        critic_optimizer=optax.adam(hyper.critic_lr).init(critics),
        duals=Duals.initial(setup.num_constraints),
        multipliers=Multipliers(jnp.ones(()), jnp.ones(())),
        controller=initial_controller(setup.num_constraints, setup.free_updates),
        observation_statistics=running_statistics.init_state(
            jax.ShapeDtypeStruct((setup.observation_size,), jnp.float32)
        ),
        updates=UInt64(hi=0, lo=0),
        env_steps=UInt64(hi=0, lo=0),
        key=key,
    )
