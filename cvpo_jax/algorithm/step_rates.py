"""What a step of a policy brings on average, and what follows for an episode, whatever its length.

Notation: C constraints, T time limit of an episode.
"""

import jax
import jax.numpy as jnp
from flax import struct


class StepRates(struct.PyTreeNode):
    """Means over steps, of one moment or running."""

    cost: jax.Array  # [C]
    incurred: jax.Array  # [C] share of steps with a cost
    terminations: jax.Array  # [] share of steps in which an episode ended by itself
    ends: jax.Array  # [] share in which one ended, by itself or by the time limit

    @classmethod
    def zeros(cls, num_constraints: int) -> "StepRates":
        """Nothing measured yet."""
        # Separate arrays, since the state is donated and a buffer may be given away only once.
        return cls(jnp.zeros(num_constraints), jnp.zeros(num_constraints), jnp.zeros(()), jnp.zeros(()))

    @classmethod
    def measured(cls, cost: jax.Array, done: jax.Array, truncation: jax.Array) -> "StepRates":
        """Means over the environments of one step, from `cost` `[N, C]`, `done` and `truncation` `[N]`."""
        return cls(
            cost=cost.mean(0),
            incurred=(cost > 0).astype(cost.dtype).mean(0),
            terminations=done.mean(),
            ends=jnp.maximum(done, truncation).mean(),
        )

    def mean_length(self, time_limit: int) -> jax.Array:
        """Steps `[]` of an episode on average: exactly T unless some episodes end by themselves."""
        length = jnp.clip(1 / jnp.maximum(self.ends, 1 / time_limit), 1, time_limit)
        return jnp.where(self.terminations > 0, length, time_limit)

    def episode_cost(self, time_limit: int) -> jax.Array:
        """Cost `[C]` of an episode on average."""
        return self.cost * self.mean_length(time_limit)

    @property
    def unit(self) -> jax.Array:
        """Size `[C]` of a cost where there is one: 1 for costs of 0 and 1, and before any was seen."""
        return jnp.where(self.incurred > 0, self.cost / jnp.where(self.incurred > 0, self.incurred, 1), 1)
