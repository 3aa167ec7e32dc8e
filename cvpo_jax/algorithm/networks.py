"""The policy and the critics as flax modules.

Notation: B states, K sampled actions a state, A action dimensions, O observation size, E critics.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp

from cvpo_jax.algorithm.gaussian import Gaussian
from cvpo_jax.algorithm.matmul import Product, dense_product, product_of
from cvpo_jax.config.sections import MIN_STD, Precision

# Rows of one product on a CPU: 512 rows of 128 float32 are a quarter of a megabyte; 256 to 1024 are about as fast.
BLOCK_ROWS = 512

LayerParams = Mapping[str, Mapping[str, jax.Array]]


class Actor(nn.Module):
    """A Gaussian policy on the box [-1, 1]^A: mean within the box, covariance a function of the state."""

    action_size: int
    hidden: Sequence[int]
    full: bool
    initial_std: float
    max_std: float
    matmul_dtype: Precision = "float32"

    @nn.compact
    def __call__(self, observation: jax.Array) -> Gaussian:
        """Map observations `[..., O]` to a Gaussian over actions `[..., A]`."""
        hidden = observation
        for index, width in enumerate(self.hidden):
            layer = nn.Dense(width, dot_general=dense_product(self.matmul_dtype), name=f"hidden_{index}")
            hidden = nn.relu(layer(hidden))
        small = nn.initializers.variance_scaling(0.01, "fan_in", "uniform")
        mean = jnp.tanh(nn.Dense(self.action_size, kernel_init=small, name="mean")(hidden))
        span = self.max_std - MIN_STD
        share = (self.initial_std - MIN_STD) / span
        offset = jnp.log(share / (1 - share))
        diagonal = nn.Dense(self.action_size, kernel_init=small, name="scale")(hidden)
        scale = MIN_STD + span * nn.sigmoid(diagonal + offset)
        if not self.full:
            return Gaussian(mean, scale)
        count = self.action_size * (self.action_size - 1) // 2
        lower = self.max_std * jnp.tanh(nn.Dense(count, kernel_init=small, name="lower")(hidden))
        rows, columns = jnp.tril_indices(self.action_size, -1)
        factor = jnp.zeros((*mean.shape, self.action_size)).at[..., rows, columns].set(lower)
        return Gaussian(mean, factor + jnp.eye(self.action_size) * scale[..., None])


class Critic(nn.Module):
    """One action value. The observation's half of the first layer is computed once for all actions of a state."""

    hidden: Sequence[int]
    matmul_dtype: Precision = "float32"

    @nn.compact
    def __call__(self, observation: jax.Array, action: jax.Array) -> jax.Array:
        """Value `[B]` of actions `[B, A]`, or `[B, K]` of actions `[B, K, A]`, at observations `[B, O]`."""
        product = dense_product(self.matmul_dtype)
        hidden = nn.Dense(self.hidden[0], dot_general=product, name="observation")(observation)
        if action.ndim > observation.ndim:
            hidden = hidden[..., None, :]
        hidden = nn.relu(hidden + nn.Dense(self.hidden[0], use_bias=False, name="action")(action))
        for index, width in enumerate(self.hidden[1:], 1):
            hidden = nn.relu(nn.Dense(width, dot_general=product, name=f"hidden_{index}")(hidden))
        return nn.Dense(1, name="value")(hidden)[..., 0]


class Critics(nn.Module):
    """E independent critics: `[E, B]` or `[E, B, K]`."""

    count: int
    hidden: Sequence[int]
    matmul_dtype: Precision = "float32"

    @nn.compact
    def __call__(self, observation: jax.Array, action: jax.Array) -> jax.Array:
        """Values of all critics; arguments as for `Critic`."""
        ensemble = nn.vmap(
            Critic,
            variable_axes={"params": 0},
            split_rngs={"params": True},
            in_axes=None,
            out_axes=0,
            axis_size=self.count,
        )(self.hidden, self.matmul_dtype, name="ensemble")
        if action.ndim == observation.ndim or self.is_initializing():
            return ensemble(observation, action)
        batched = jax.vmap(
            lambda params, *of: Critic(self.hidden, self.matmul_dtype, parent=None).apply({"params": params}, *of),
            (0, None, None),
        )
        arguments = (ensemble.variables["params"], observation, action)
        in_blocks = partial(values_in_blocks, product=product_of(self.matmul_dtype))
        return jax.lax.platform_dependent(*arguments, cpu=in_blocks, default=batched)


def values_in_blocks(
    params: LayerParams, observation: jax.Array, action: jax.Array, *, product: Product = jnp.matmul
) -> jax.Array:
    """Values `[E, B, K]` of actions `[B, K, A]`, one critic after the other and a few states at a time.

    What the batched product keeps in memory stays in a core's cache here, which makes it half as fast again.
    """
    first, of_action = params["observation"], params["action"]
    layers = [params[f"hidden_{index}"] for index in range(1, len(params) - 2)] + [params["value"]]
    shared = jax.vmap(product, (None, 0))(observation, first["kernel"]) + first["bias"][:, None]

    def one_critic(arguments: tuple) -> jax.Array:
        shared, kernel, layers = arguments

        def one_state(arguments: tuple) -> jax.Array:
            shared, action = arguments
            # A product with so few rows is slower than these multiplications inside the addition.
            hidden = shared + sum(action[:, index, None] * row for index, row in enumerate(kernel))
            *inner, last = layers
            for layer in inner:
                hidden = product(nn.relu(hidden), layer["kernel"]) + layer["bias"]
            return (nn.relu(hidden) @ last["kernel"] + last["bias"])[:, 0]

        return jax.lax.map(one_state, (shared, action), batch_size=max(1, BLOCK_ROWS // action.shape[1]))

    return jax.lax.map(one_critic, (shared, of_action["kernel"], layers))
