"""Targets of the critics from hand-made values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cvpo_jax.algorithm import critics

REWARD, COST = jnp.array([1.0, 2.0]), jnp.array([[3.0, 30.0], [4.0, 40.0]])  # [B], [B, C]
DISCOUNT = jnp.array([0.5, 0.0])
NEXT = jnp.array([[10.0, 10.0], [20.0, 20.0], [2.0, 2.0], [4.0, 4.0], [100.0, 100.0], [300.0, 300.0]])  # [E, B]


def targets(following: jax.Array, *options, cost: jax.Array = COST) -> jax.Array:
    """Targets of critics that know the mean alone."""
    return critics.targets(REWARD, cost, DISCOUNT, following[..., None], *options)[..., 0]


def test_reward_takes_the_minimum_and_cost_never_does() -> None:
    mean = targets(NEXT, "mean")
    np.testing.assert_allclose(mean[:2], [[6, 2], [6, 2]])
    np.testing.assert_allclose(mean[2:4], [[4.5, 4], [4.5, 4]])
    np.testing.assert_allclose(mean[4:], [[130, 40], [130, 40]])
    largest = targets(NEXT, "max")
    np.testing.assert_allclose(largest[:2], mean[:2])
    np.testing.assert_allclose(largest[2:], [[5, 4], [5, 4], [180, 40], [180, 40]])


def test_a_cost_below_zero_is_not_believed_and_a_reward_below_zero_is() -> None:
    negative = targets(-NEXT, "max")
    np.testing.assert_allclose(negative[:2], [[-9, 2], [-9, 2]])
    np.testing.assert_allclose(negative[2:], [[3, 4], [3, 4], [30, 40], [30, 40]])


def test_a_target_is_the_distribution_of_the_critic_whose_mean_counts() -> None:
    """Two states, two critics of reward, two of one cost, two quantiles; which critic counts differs by state."""
    following = jnp.array(
        [[[0.0, 4.0], [5.0, 7.0]], [[1.0, 5.0], [0.0, 2.0]], [[0.0, 2.0], [3.0, 9.0]], [[1.0, 3.0], [-2.0, 4.0]]]
    )
    found = critics.targets(REWARD, COST[:, :1], jnp.array([0.5, 1.0]), following, "max")
    np.testing.assert_allclose(found[:2], [[[1, 3], [2, 4]]] * 2)
    np.testing.assert_allclose(found[2:], [[[3.5, 4.5], [7, 13]]] * 2)
    mean = critics.targets(REWARD, COST[:, :1], jnp.array([0.5, 1.0]), following, "mean")
    np.testing.assert_allclose(mean[2:], [[[3.25, 4.25], [4.5, 10.5]]] * 2)


def test_split_and_aggregate_agree_on_the_order_of_critics() -> None:
    reward, cost = critics.split(NEXT, 2)
    assert reward.shape == (2, 2)
    assert cost.shape == (2, 2, 2)
    best, costs = critics.aggregate(NEXT, 2, "max")
    np.testing.assert_allclose(best, [10, 10])
    np.testing.assert_allclose(costs, [[4, 4], [300, 300]])


def test_one_critic_of_reward_is_enough() -> None:
    reward, costs = critics.aggregate(NEXT[1:], 1, "max", 1)
    np.testing.assert_allclose(reward, [20, 20])
    np.testing.assert_allclose(costs, [[300, 300]])
    np.testing.assert_allclose(targets(NEXT[1:4], "max", 1, cost=COST[:, :1]), [[11, 2], [5, 4], [5, 4]])


def test_loss_of_means_is_the_squared_error_over_states_summed_over_critics() -> None:
    values = jnp.array([[1.0, 3.0], [0.0, 0.0]])[..., None]
    assert critics.loss(values, jnp.zeros((2, 2, 1))) == pytest.approx(2.5)


def test_quantiles_that_minimize_the_loss_are_those_of_the_target() -> None:
    """Against NumPy's quantiles of 1,000 numbers far apart compared with the Huber width."""
    target = jax.random.exponential(jax.random.PRNGKey(0), (1000,)) * 100
    levels = (jnp.arange(4) + 0.5) / 4

    def loss(quantiles: jax.Array) -> jax.Array:
        # The target's numbers one by one as four equal quantiles.
        each = jnp.broadcast_to(target[None, :, None], (1, 1000, 4))
        return critics.loss(jnp.broadcast_to(quantiles, (1, 1000, 4)), each)

    exact = jnp.quantile(target, levels)
    np.testing.assert_allclose(jax.grad(loss)(exact), 0, atol=0.01)
    for index in range(4):
        for step in (-5.0, 5.0):
            assert loss(exact.at[index].add(step)) > loss(exact)
