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
from cvpo_jax.config.algo import MIN_STD, Precision

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
    """The distribution of one action value, as N quantiles; one quantile is the mean.

    The observation's half of the first layer is computed once for all actions of a state.
    """

    hidden: Sequence[int]
    matmul_dtype: Precision = "float32"
    layer_norm: bool = True
    quantiles: int = 1

    @nn.compact
    def __call__(self, observation: jax.Array, action: jax.Array) -> jax.Array:
        """Quantiles `[B, N]` of actions `[B, A]`, or `[B, K, N]` of actions `[B, K, A]`, at observations `[B, O]`."""
        product = dense_product(self.matmul_dtype)
        hidden = nn.Dense(self.hidden[0], dot_general=product, name="observation")(observation)
        if action.ndim > observation.ndim:
            hidden = hidden[..., None, :]
        hidden = self.activate(hidden + nn.Dense(self.hidden[0], use_bias=False, name="action")(action), 0)
        for index, width in enumerate(self.hidden[1:], 1):
            layer = nn.Dense(width, dot_general=product, name=f"hidden_{index}")
            hidden = self.activate(layer(hidden), index)
        return nn.Dense(self.quantiles, name="value")(hidden)

    def activate(self, hidden: jax.Array, index: int) -> jax.Array:
        """What follows the product of the layer at `index`."""
        return nn.relu(nn.LayerNorm(name=f"norm_{index}")(hidden) if self.layer_norm else hidden)


class Critics(nn.Module):
    """E independent critics: `[E, B]` or `[E, B, K]`."""

    count: int
    hidden: Sequence[int]
    matmul_dtype: Precision = "float32"
    layer_norm: bool = True
    quantiles: int = 1

    @nn.compact
    def distributions(self, observation: jax.Array, action: jax.Array) -> jax.Array:
        """Quantiles `[E, B, N]` or `[E, B, K, N]` of all critics; arguments as for `Critic`."""
        ensemble = nn.vmap(
            Critic,
            variable_axes={"params": 0},
            split_rngs={"params": True},
            in_axes=None,
            out_axes=0,
            axis_size=self.count,
        )(self.hidden, self.matmul_dtype, self.layer_norm, self.quantiles, name="ensemble")
        return ensemble(observation, action)

    def __call__(self, observation: jax.Array, action: jax.Array) -> jax.Array:
        """Values of all critics, the means over their quantiles."""
        if action.ndim == observation.ndim or self.is_initializing():
            return self.distributions(observation, action).mean(-1)
        critic = Critic(self.hidden, self.matmul_dtype, self.layer_norm, self.quantiles, parent=None)
        batched = jax.vmap(lambda params, *of: critic.apply({"params": params}, *of).mean(-1), (0, None, None))
        arguments = (self.variables["params"]["ensemble"], observation, action)
        in_blocks = partial(values_in_blocks, product=product_of(self.matmul_dtype))
        return jax.lax.platform_dependent(*arguments, cpu=in_blocks, default=batched)


def values_in_blocks(
    params: LayerParams, observation: jax.Array, action: jax.Array, *, product: Product = jnp.matmul
) -> jax.Array:
    """Values `[E, B, K]` of actions `[B, K, A]`, one critic after the other and a few states at a time.

    What the batched product keeps in memory stays in a core's cache here, which makes it half as fast again.
    """
    first, of_action, value = params["observation"], params["action"], params["value"]
    # The mean over quantiles before the product: one column instead of N.
    last = {"kernel": value["kernel"].mean(-1), "bias": value["bias"].mean(-1)}
    layers = [params[name] for name in _numbered("hidden", params)]
    norms = [params[name] for name in _numbered("norm", params)]
    shared = jax.vmap(product, (None, 0))(observation, first["kernel"]) + first["bias"][:, None]

    def one_critic(arguments: tuple) -> jax.Array:
        shared, kernel, layers, norms, last = arguments

        def activate(hidden: jax.Array, index: int) -> jax.Array:
            if norms:
                hidden = nn.LayerNorm(parent=None).apply({"params": norms[index]}, hidden)
            return nn.relu(hidden)

        def one_state(arguments: tuple) -> jax.Array:
            shared, action = arguments
            # A product with so few rows is slower than these multiplications inside the addition.
            hidden = activate(shared + sum(action[:, index, None] * row for index, row in enumerate(kernel)), 0)
            for index, layer in enumerate(layers, 1):
                hidden = activate(product(hidden, layer["kernel"]) + layer["bias"], index)
            return hidden @ last["kernel"] + last["bias"]

        return jax.lax.map(one_state, (shared, action), batch_size=max(1, BLOCK_ROWS // action.shape[1]))

    return jax.lax.map(one_critic, (shared, of_action["kernel"], layers, norms, last))


def _numbered(kind: str, params: LayerParams) -> list[str]:
    """The names of the layers of a kind, in their order."""
    return sorted((name for name in params if name.startswith(f"{kind}_")), key=lambda name: int(name.split("_")[1]))
