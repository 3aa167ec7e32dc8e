"""Shapes and bounds of the policy, and critics that are independent and agree on one action as on many."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cvpo_jax.algorithm import networks
from cvpo_jax.algorithm.networks import Actor, Critics
from cvpo_jax.config.algo import MIN_STD

OBSERVATION = jax.random.normal(jax.random.PRNGKey(0), (7, 5))
INITIAL_STD, MAX_STD = 0.3, 0.4


@pytest.mark.parametrize("full", [False, True])
def test_a_fresh_policy_is_centered_with_the_initial_spread(full) -> None:
    actor = Actor(3, (16,), full, INITIAL_STD, MAX_STD)
    policy = actor.apply(actor.init(jax.random.PRNGKey(1), OBSERVATION), OBSERVATION)
    diagonal = jnp.diagonal(policy.scale, axis1=-2, axis2=-1) if full else policy.scale
    np.testing.assert_allclose(policy.mean, 0, atol=0.3)
    np.testing.assert_allclose(diagonal, INITIAL_STD, atol=0.03)


@pytest.mark.parametrize("full", [False, True])
def test_mean_and_spread_stay_in_bounds_whatever_the_parameters(full) -> None:
    actor = Actor(3, (16,), full, INITIAL_STD, MAX_STD)
    params = jax.tree.map(lambda x: 300 * x + 1, actor.init(jax.random.PRNGKey(1), OBSERVATION))
    policy = actor.apply(params, 100 * OBSERVATION)
    assert jnp.abs(policy.mean).max() == 1
    if full:
        np.testing.assert_array_equal(policy.scale, jnp.tril(policy.scale))
        assert 0 < jnp.abs(jnp.tril(policy.scale, -1)).max() <= MAX_STD
    diagonal = jnp.diagonal(policy.scale, axis1=-2, axis2=-1) if full else policy.scale
    assert MIN_STD * 0.999 <= diagonal.min() < diagonal.max() <= MAX_STD * 1.001


def test_critics_differ_and_value_many_actions_as_each_alone() -> None:
    critics = Critics(3, (16, 8))
    actions = jax.random.uniform(jax.random.PRNGKey(2), (7, 4, 2), minval=-1)
    params = critics.init(jax.random.PRNGKey(1), OBSERVATION, actions[:, 0])
    values = critics.apply(params, OBSERVATION, actions)
    assert values.shape == (3, 7, 4)
    alone = jnp.stack([critics.apply(params, OBSERVATION, actions[:, k]) for k in range(4)], -1)
    np.testing.assert_allclose(values, alone, atol=1e-6)
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert jnp.abs(values[first] - values[second]).max() > 0.01
    assert values.std((1, 2)).min() > 0, "a critic must see observation and action"


@pytest.mark.parametrize(("states", "layer_norm", "quantiles"), [(3, True, 4), (7, False, 1), (40, True, 1)])
def test_values_in_blocks_are_those_of_the_batched_product(states, layer_norm, quantiles, monkeypatch) -> None:
    """With blocks that divide the states and blocks that do not, for each kind of critic."""
    monkeypatch.setattr(networks, "BLOCK_ROWS", 12)
    critics = Critics(3, (16, 8), layer_norm=layer_norm, quantiles=quantiles)
    observation = jax.random.normal(jax.random.PRNGKey(0), (states, 5))
    actions = jax.random.uniform(jax.random.PRNGKey(2), (states, 4, 2), minval=-1)
    params = critics.init(jax.random.PRNGKey(1), observation, actions[:, 0])
    params = jax.tree.map(lambda x: x + 0.1 * jnp.arange(x.size).reshape(x.shape) / x.size, params)
    blocks = networks.values_in_blocks(params["params"]["ensemble"], observation, actions)
    alone = jnp.stack([critics.apply(params, observation, actions[:, k]) for k in range(4)], -1)
    np.testing.assert_allclose(blocks, alone, atol=1e-5)


def test_a_value_is_the_mean_of_its_quantiles() -> None:
    critics = Critics(3, (16, 8), quantiles=5)
    actions = jax.random.uniform(jax.random.PRNGKey(2), (7, 2), minval=-1)
    params = critics.init(jax.random.PRNGKey(1), OBSERVATION, actions)
    quantiles = critics.apply(params, OBSERVATION, actions, method=critics.distributions)
    assert quantiles.shape == (3, 7, 5)
    assert quantiles.std(-1).min() > 0
    np.testing.assert_allclose(critics.apply(params, OBSERVATION, actions), quantiles.mean(-1), atol=1e-6)
