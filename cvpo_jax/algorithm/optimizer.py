"""The optimizer of policy and critics."""

from typing import Any

import jax
import optax


def make_optimizer(learning_rate: jax.Array | float) -> optax.GradientTransformation:
    """Adam; the learning rate `[]` may be traced, so that it can differ between the trials of a population."""
    return optax.adam(learning_rate)


OptimizerState = Any
"""What `make_optimizer(...).init` returns: optax's states have no type of their own."""
