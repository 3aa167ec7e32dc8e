"""Temporal-difference targets and the loss of the critics.

The first R of the E critics estimate reward, the rest cost: M for each of the C constraints, one after the other.
Notation: B states, K sampled actions a state, C constraints, E = R + C M critics, N quantiles of each.
"""

import chex
import jax
import jax.numpy as jnp
import optax

HUBER_WIDTH = 0.1
"""Errors below this are squared: a tenth of a cost, and of what a unit of progress earns in the ports."""


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
    following: jax.Array,
    cost_aggregate: str,
    reward_critics: int = 2,
) -> jax.Array:
    """Targets `[E, B, N]` from n-step sums `reward` [B], `cost` [B, C], `discount` [B] and `following` [E, B, N].

    `following` are the quantiles of the next values; of several critics of a signal those of the one that `aggregate`
    takes count, or their mean. `discount` is gamma^m where the return continues after m steps (through a time limit
    too), 0 after a termination.
    """
    num_constraints = cost.shape[-1]
    chex.assert_equal_shape([reward, discount, following[0, :, 0]])
    next_reward, next_cost = split(following, num_constraints, reward_critics)
    lowest = _one_of(next_reward, jnp.argmin(next_reward.mean(-1), 0))
    if cost_aggregate == "mean":
        costs = next_cost.mean(1)
    else:
        costs = jax.vmap(_one_of)(next_cost, jnp.argmax(next_cost.mean(-1), 1))
    reward_target = reward[:, None] + discount[:, None] * lowest
    # A policy that seeks low cost finds the states where the critic errs on the low side; cost is never below zero.
    cost_target = cost.T[..., None] + discount[:, None] * jnp.maximum(costs, 0.0)
    copies = next_cost.shape[1]
    return jnp.concatenate(
        [jnp.broadcast_to(reward_target, next_reward.shape), jnp.repeat(cost_target, copies, axis=0)]
    )


def _one_of(values: jax.Array, critic: jax.Array) -> jax.Array:
    """For each state the quantiles `[B, N]` of one `critic` `[B]` among those of several `[M, B, N]`."""
    return jnp.take_along_axis(values, critic[None, :, None], 0)[0]


def loss(quantiles: jax.Array, target: jax.Array) -> jax.Array:
    """Loss `[]` of `quantiles` `[E, B, N]`: mean over states, sum over critics: each learns at its own pace.

    The squared error of a single quantile, which so becomes the mean; else the quantile Huber loss over all pairs of a
    quantile and one of the target's (Dabney et al. 2018, equation 10).
    """
    chex.assert_equal_shape([quantiles, target])
    if quantiles.shape[-1] == 1:
        return 0.5 * jnp.sum(jnp.mean((quantiles - target) ** 2, (-2, -1)))
    error = target[..., None, :] - quantiles[..., :, None]
    huber = optax.huber_loss(error, delta=HUBER_WIDTH) / HUBER_WIDTH
    level = (jnp.arange(quantiles.shape[-1]) + 0.5) / quantiles.shape[-1]
    weight = jnp.abs(level[:, None] - (error < 0))
    return jnp.sum(jnp.mean((weight * huber).mean(-1).sum(-1), -1))
