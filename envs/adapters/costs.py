"""Costs of other people's environments: how they are told in `info`, and `with_cost` for those that have none."""

import contextlib
import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from envs.adapters.source import SUPPORTED, is_compiled, is_gymnasium

TOTAL = "cost"
PREFIX = "cost_"
MISSING = 'give info["cost"] (and components as info["cost_NAME"]) in every step, or use envs.with_cost(env, fn)'

_ARGUMENTS = ("observation", "action", "next_observation", "info")
CostFunction = Callable[..., Any]
"""`(observation, action, next_observation, info) -> cost`, a number or a dictionary of components by name."""


def with_cost(env: Any, fn: CostFunction) -> Any:
    """`env`, of Gymnasium, Brax or Playground, with the costs `fn(observation, action, next_observation, info)`.

    `fn` is given what the environment observes and the actions it takes, `info` is that of the step. It returns a
    float, or a dictionary of floats: these become components `cost_NAME`, and their sum the cost. For an environment in
    JAX it is traced. Raises ValueError for anything else than an environment, and for what cannot be called so.
    """
    try:
        with contextlib.suppress(ValueError):  # written in C, without a signature
            inspect.signature(fn).bind(*_ARGUMENTS)
    except TypeError as error:
        raise ValueError(f"with_cost was given {fn!r}: give a function of {', '.join(_ARGUMENTS)} ({error})") from error
    if is_gymnasium(env):
        return importlib.import_module("envs.adapters.gymnasium_cost").GymnasiumCost(env, fn)
    if is_compiled(env):
        return importlib.import_module("envs.adapters.compiled_cost").CompiledCost(env, fn)
    raise ValueError(f"with_cost was given {type(env).__name__}, which is no single environment: {SUPPORTED}")


def as_info(cost: Any) -> dict[str, Any]:
    """The entries of `info` for what a cost function returned; raises ValueError if that is nothing."""
    if cost is None:
        raise ValueError("the cost function returned None: return a number, or a dictionary of numbers")
    if not isinstance(cost, Mapping):
        return {TOTAL: cost}
    components = {PREFIX + name.removeprefix(PREFIX): value for name, value in cost.items()}
    return components | {TOTAL: sum(components.values())}
