"""Several limits in one training (`algo.limits`): what belongs to one limit, computed for each of them.

Environment i of a device and state b of a batch belong to the limits at i mod M and b mod M. With one limit, or one for
each constraint, all functions here are the identity.

Notation: M limits, B states in a batch, C constraints.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from cvpo_jax.algorithm.state import Metrics, StaticConfig, TrainState
from cvpo_jax.config.names import metric_name


def each(static: StaticConfig, function: Callable) -> Callable:
    """`function` of what belongs to one limit, with several over the leading axes M of arguments and results."""
    return jax.vmap(function) if static.algo.limits else function


def for_each(state: TrainState, function: Callable, *arguments: Any) -> Any:
    """`function(state, *arguments)`, with several limits for each: with its limit, its controller, its arguments."""

    def of_one(limit: jax.Array, controller: Any, *arguments: Any) -> Any:
        hyperparameters = state.hyperparameters.replace(cost_limit=limit)
        return function(state.replace(hyperparameters=hyperparameters, controller=controller), *arguments)

    return each(state.static, of_one)(state.hyperparameters.cost_limit, state.controller, *arguments)


def split(static: StaticConfig, x: jax.Array, axis: int = 0) -> jax.Array:
    """The states along `axis` by their limits: `[.., B, ..]` becomes `[M, .., B / M, ..]`."""
    count = len(static.algo.limits)
    if not count:
        return x
    return jnp.moveaxis(x.reshape(*x.shape[:axis], -1, count, *x.shape[axis + 1 :]), axis + 1, 0)


def join(static: StaticConfig, x: jax.Array) -> jax.Array:
    """The inverse of `split` along the first axis: `[M, B / M, ...]` becomes `[B, ...]`."""
    return x.swapaxes(0, 1).reshape(-1, *x.shape[2:]) if static.algo.limits else x


def of_members(static: StaticConfig, limit: jax.Array, count: int) -> jax.Array:
    """Of `count` environments, or states, the limit of each `[count, C]`; `[C]` where there is one for all."""
    return limit[jnp.arange(count) % len(static.algo.limits)] if static.algo.limits else limit


def named(static: StaticConfig, metrics: Metrics) -> Metrics:
    """Metrics `[]`, with several limits from `[M]`: the mean under the name, and each with its index behind it."""
    count = len(static.algo.limits)
    if not count:
        return metrics
    of_each = {
        metric_name(name, index, count): value[index] for name, value in metrics.items() for index in range(count)
    }
    return {name: value.mean(0) for name, value in metrics.items()} | of_each
