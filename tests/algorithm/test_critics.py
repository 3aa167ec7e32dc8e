"""Targets of the critics from hand-made values."""

import jax.numpy as jnp
import numpy as np
import pytest

from cvpo_jax.algorithm import critics

REWARD, COST = jnp.array([1.0, 2.0]), jnp.array([[3.0, 30.0], [4.0, 40.0]])  # [B], [B, C]
DISCOUNT = jnp.array([0.5, 0.0])
NEXT = jnp.array([[10.0, 10.0], [20.0, 20.0], [2.0, 2.0], [4.0, 4.0], [100.0, 100.0], [300.0, 300.0]])  # [E, B]


def test_reward_takes_the_minimum_and_cost_never_does() -> None:
    mean = critics.targets(REWARD, COST, DISCOUNT, NEXT, "mean")
    np.testing.assert_allclose(mean[:2], [[6, 2], [6, 2]])
    np.testing.assert_allclose(mean[2:4], [[4.5, 4], [4.5, 4]])
    np.testing.assert_allclose(mean[4:], [[130, 40], [130, 40]])
    largest = critics.targets(REWARD, COST, DISCOUNT, NEXT, "max")
    np.testing.assert_allclose(largest[:2], mean[:2])
    np.testing.assert_allclose(largest[2:], [[5, 4], [5, 4], [180, 40], [180, 40]])


def test_a_cost_below_zero_is_not_believed_and_a_reward_below_zero_is() -> None:
    targets = critics.targets(REWARD, COST, DISCOUNT, -NEXT, "max")
    np.testing.assert_allclose(targets[:2], [[-9, 2], [-9, 2]])
    np.testing.assert_allclose(targets[2:], [[3, 4], [3, 4], [30, 40], [30, 40]])


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
    targets = critics.targets(REWARD, COST[:, :1], DISCOUNT, NEXT[1:4], "max", 1)
    np.testing.assert_allclose(targets, [[11, 2], [5, 4], [5, 4]])


def test_loss_is_the_mean_over_states_of_the_sum_over_critics() -> None:
    assert critics.loss(jnp.array([[1.0, 3.0], [0.0, 0.0]]), jnp.zeros((2, 2))) == pytest.approx(2.5)
