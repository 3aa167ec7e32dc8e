"""Temporal-difference targets and the loss of the critics.

The first R of the E critics estimate reward, the rest cost: M for each of the C constraints, one after the other.
Notation: B states, K sampled actions a state, C constraints, E = R + C M critics.
"""

import chex
import jax
import jax.numpy as jnp


def split(values: jax.Array, num_constraints: int, reward_critics: int = 2) -> tuple[jax.Array, jax.Array]:
    """Values `[E, ...]` of all critics as those of reward `[R, ...]` and of cost `[C, M, ...]`."""
    cost = values[reward_critics:]
    return values[:reward_critics], cost.reshape(num_constraints, -1, *cost.shape[1:])


def aggregate(
    values: jax.Array, num_constraints: int, cost_aggregate: str, reward_critics: int = 2
) -> tuple[jax.Array, jax.Array]:
    """One estimate a signal: reward `[...]` by the minimum, cost `[C, ...]` by mean or maximum, never the minimum."""
    reward, cost = split(values, num_constraints, reward_critics)
    return reward.min(0), cost.mean(1) if cost_aggregate == "mean" else cost.max(1)


def targets(
    reward: jax.Array,
    cost: jax.Array,
    discount: jax.Array,
    next_values: jax.Array,
    cost_aggregate: str,
    reward_critics: int = 2,
) -> jax.Array:
    """n-step targets `[E, B]` from n-step sums `reward` [B], `cost` [B, C], `discount` [B] and `next_values` [E, B].

    `discount` is gamma^m where the return continues after m steps (through a time limit too), 0 after a termination.
    """
    num_constraints = cost.shape[-1]
    chex.assert_equal_shape([reward, discount, next_values[0]])
    next_reward, next_cost = aggregate(next_values, num_constraints, cost_aggregate, reward_critics)
    reward_target = reward + discount * next_reward
    # A policy that seeks low cost finds the states where the critic errs on the low side; cost is never below zero.
    cost_target = cost.T + discount * jnp.maximum(next_cost, 0.0)
    copies = (next_values.shape[0] - reward_critics) // num_constraints
    return jnp.concatenate(
        [jnp.broadcast_to(reward_target, (reward_critics, *reward.shape)), jnp.repeat(cost_target, copies, axis=0)]
    )


def loss(values: jax.Array, target: jax.Array) -> jax.Array:
    """Squared error `[]`, the mean over states and the sum over critics (so that each learns at its own pace)."""
    chex.assert_equal_shape([values, target])
    return 0.5 * jnp.sum(jnp.mean((values - target) ** 2, -1))
