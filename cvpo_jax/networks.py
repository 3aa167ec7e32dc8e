"""The policy and the critics as flax modules.

Letters: B states, K sampled actions a state, A action dimensions, O observation size, E critics.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from cvpo_jax.config import MIN_STD
from cvpo_jax.gaussian import Gaussian


class Actor(nn.Module):
    """A Gaussian policy on the box [-1, 1]^A: mean within the box, covariance a function of the state."""

    action_size: int
    hidden: Sequence[int]
    full: bool
    initial_std: float
    max_std: float

    @nn.compact
    def __call__(self, observation: jax.Array) -> Gaussian:
        """Map observations `[..., O]` to a Gaussian over actions `[..., A]`."""
        hidden = observation
        for width in self.hidden:
            hidden = nn.relu(nn.Dense(width)(hidden))
        small = nn.initializers.variance_scaling(0.01, "fan_in", "uniform")
        mean = jnp.tanh(nn.Dense(self.action_size, kernel_init=small)(hidden))
        span = self.max_std - MIN_STD
        share = (self.initial_std - MIN_STD) / span
        offset = jnp.log(share / (1 - share))
        diagonal = nn.Dense(self.action_size, kernel_init=small)(hidden)
        scale = MIN_STD + span * nn.sigmoid(diagonal + offset)
        if not self.full:
            return Gaussian(mean, scale)
        count = self.action_size * (self.action_size - 1) // 2
        lower = self.max_std * jnp.tanh(nn.Dense(count, kernel_init=small)(hidden))
        rows, columns = jnp.tril_indices(self.action_size, -1)
        factor = jnp.zeros((*mean.shape, self.action_size)).at[..., rows, columns].set(lower)
        return Gaussian(mean, factor + jnp.eye(self.action_size) * scale[..., None])


class Critic(nn.Module):
    """One action value. The observation's half of the first layer is computed once for all actions of a state."""

    hidden: Sequence[int]

    @nn.compact
    def __call__(self, observation: jax.Array, action: jax.Array) -> jax.Array:
        """Value `[B]` of actions `[B, A]`, or `[B, K]` of actions `[B, K, A]`, at observations `[B, O]`."""
        hidden = nn.Dense(self.hidden[0])(observation)
        if action.ndim > observation.ndim:
            hidden = hidden[..., None, :]
        hidden = nn.relu(hidden + nn.Dense(self.hidden[0], use_bias=False)(action))
        for width in self.hidden[1:]:
            hidden = nn.relu(nn.Dense(width)(hidden))
        return nn.Dense(1)(hidden)[..., 0]


class Critics(nn.Module):
    """E independent critics in one batched product: `[E, B]` or `[E, B, K]`."""

    count: int
    hidden: Sequence[int]

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
        )
        return ensemble(self.hidden)(observation, action)
