"""The scales of reward and cost, so that critics learn values of one size whatever the units of the environment.

Costs are divided by the size of a cost where there is one, which is exactly 1 for costs of 0 and 1. Rewards are left
alone where they are known to be of the size that learning rates were tuned on, and otherwise brought to it. Both scales
are measured over the warm-up, and until enough was seen where rewards or costs are rare; then they stay, since the
critics' values would have to follow them.

Notation: N environments, C constraints.
"""

import jax
import jax.numpy as jnp
from flax import struct

TARGET_REWARD = 0.1
"""Root mean square of a scaled reward: with a discount of 0.99 values are of size 1 to 10 then."""
ENOUGH = 1000.0
"""Steps with a reward, or a cost, that fix a scale."""


class SignalSums(struct.PyTreeNode):
    """Sums over the steps that the scales are measured on."""

    reward_square: jax.Array  # []
    rewarded: jax.Array  # [] steps with a reward
    cost: jax.Array  # [C]
    incurred: jax.Array  # [C] steps with a cost

    @classmethod
    def zeros(cls, num_constraints: int) -> "SignalSums":
        """Nothing seen yet."""
        return cls(jnp.zeros(()), jnp.zeros(()), jnp.zeros(num_constraints), jnp.zeros(num_constraints))

    @classmethod
    def measured(cls, reward: jax.Array, cost: jax.Array) -> "SignalSums":
        """Sums over the environments of one step, from `reward` `[N]` and `cost` `[N, C]`."""
        return cls(
            reward_square=(reward**2).sum(),
            rewarded=(reward != 0).astype(reward.dtype).sum(),
            cost=cost.sum(0),
            incurred=(cost > 0).astype(cost.dtype).sum(0),
        )

    def add(self, new: "SignalSums", warm_up: jax.Array) -> "SignalSums":
        """Take in more steps, as long as the scales are not fixed yet."""
        rewards, costs = (warm_up | (seen < ENOUGH) for seen in (self.rewarded, self.incurred))
        return SignalSums(
            reward_square=self.reward_square + jnp.where(rewards, new.reward_square, 0),
            rewarded=self.rewarded + jnp.where(rewards, new.rewarded, 0),
            cost=self.cost + jnp.where(costs, new.cost, 0),
            incurred=self.incurred + jnp.where(costs, new.incurred, 0),
        )

    def reward_scale(self) -> jax.Array:
        """The factor `[]` that brings rewards to their target size; 1 before any was seen."""
        size = jnp.sqrt(self.reward_square / jnp.maximum(self.rewarded, 1))
        return jnp.where(size > 0, TARGET_REWARD / jnp.where(size > 0, size, 1), 1)

    def cost_scale(self) -> jax.Array:
        """The factor `[C]` that makes 1 of a cost where there is one; 1 before any was seen."""
        return jnp.where(self.cost > 0, self.incurred / jnp.where(self.cost > 0, self.cost, 1), 1)
