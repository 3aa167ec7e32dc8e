"""What the compiler's count of operations leaves out."""

import jax
import jax.numpy as jnp
import pytest

from cvpo_jax.algorithm import networks
from cvpo_jax.algorithm.networks import Critics
from cvpo_jax.profiling.update_parts import uncounted_operations


def test_what_xla_does_not_count_is_known() -> None:
    """The count of values in blocks and what it leaves out make up that of the batched ones."""
    # Without layer normalization, whose operations the number of critics does not tell.
    critics, actions = Critics(3, (128, 128), layer_norm=False), jnp.zeros((64, 16, 2))
    params = critics.init(jax.random.PRNGKey(1), jnp.zeros((64, 5)), actions[:, 0])["params"]["ensemble"]

    def count(function):
        return jax.jit(function).lower(params, jnp.zeros((64, 5)), actions).compile().cost_analysis()["flops"]

    def batched(params, *of):
        return jax.vmap(lambda params: networks.Critic((128, 128), layer_norm=False).apply({"params": params}, *of))(
            params
        )

    blocks = count(networks.values_in_blocks) + uncounted_operations((3, 64, 16), 2, (128, 128))
    assert blocks == pytest.approx(count(batched), rel=0.05)
