"""Products of rounded numbers: exact where nothing is rounded, near the true ones elsewhere, also their gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from learning import make_batch, make_state

from cvpo_jax import AlgoConfig, ConfigError
from cvpo_jax.algorithm import matmul
from cvpo_jax.algorithm.matmul import product_of
from cvpo_jax.algorithm.networks import Critics
from cvpo_jax.algorithm.state import StaticConfig, TrainState
from cvpo_jax.algorithm.update import update_critics

rounded = product_of("bfloat16")


def test_small_whole_numbers_are_multiplied_exactly() -> None:
    left = jax.random.randint(jax.random.PRNGKey(0), (3, 5, 7), -9, 9).astype(jnp.float32)
    right = jax.random.randint(jax.random.PRNGKey(1), (7, 4), -9, 9).astype(jnp.float32)
    np.testing.assert_array_equal(rounded(left, right), left @ right)
    gradients = jax.grad(lambda *factors: jnp.sum(rounded(*factors) * 3), (0, 1))(left, right)
    expected = jax.grad(lambda *factors: jnp.sum(jnp.matmul(*factors) * 3), (0, 1))(left, right)
    jax.tree.map(np.testing.assert_array_equal, gradients, expected)


def test_what_bfloat16_cannot_hold_is_rounded_before_but_not_in_the_sum() -> None:
    assert float(rounded(jnp.array([[257.0]]), jnp.array([[1.0]]))[0, 0]) == 256.0
    assert float(rounded(jnp.array([[256.0, 1.0]]), jnp.ones((2, 1)))[0, 0]) == 257.0


def test_critics_of_rounded_products_are_near_the_exact_ones() -> None:
    """Values and gradients of several critics of the same states, of one action and of many.

    Without layer normalization: it takes out most of some gradients, of which rounding leaves a larger part then.
    """
    observation = jax.random.normal(jax.random.PRNGKey(0), (16, 5))
    actions = jax.random.uniform(jax.random.PRNGKey(1), (16, 8, 2), minval=-1)
    exact, short = (Critics(3, (32, 32), precision, layer_norm=False) for precision in ("float32", "bfloat16"))
    params = exact.init(jax.random.PRNGKey(2), observation, actions[:, 0])
    for action in (actions, actions[:, 0]):
        values, near = (jax.jit(critics.apply)(params, observation, action) for critics in (exact, short))
        assert 0 < np.abs(near - values).max() < 0.02 * np.abs(values).max()

    def gradient(critics: Critics) -> list[jax.Array]:
        square = jax.grad(lambda params: (critics.apply(params, observation, actions[:, 0]) ** 2).sum())
        return jax.tree.leaves(jax.jit(square)(params))

    for true, near in zip(gradient(exact), gradient(short), strict=True):
        assert np.linalg.norm(near - true) < 0.03 * np.linalg.norm(true)


def test_critics_learn_with_rounded_products() -> None:
    algo = AlgoConfig(hidden=(16, 16), samples=8, batch_size=16, matmul_dtype="bfloat16")
    static = StaticConfig.from_config(algo, observation_size=3, action_size=2, num_constraints=1, episode_length=100)

    def learn(state: TrainState, _: None) -> tuple[TrainState, jax.Array]:
        state, metrics = update_critics(state, make_batch(), state.key, None)
        return state, metrics["critic/loss"]

    state, losses = jax.jit(lambda state: jax.lax.scan(learn, state, None, length=200))(make_state(static=static))
    assert losses[-1] < 0.5 * losses[0]
    assert state.critics["params"]["ensemble"]["observation"]["kernel"].dtype == jnp.float32


def test_a_machine_without_such_products_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise jax.errors.JaxRuntimeError("UNIMPLEMENTED")

    matmul.require("float32")
    monkeypatch.setattr(jax, "block_until_ready", refuse)
    with pytest.raises(ConfigError, match=r"--algo\.matmul_dtype is bfloat16: this cpu .*; use float32"):
        matmul.require("bfloat16")
    matmul.require("float32")
