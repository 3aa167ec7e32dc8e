"""Environments with costs, all made by `make` and stepped alike: ports on Brax, or the original Safety-Gymnasium.

In reading order:

- `base`: the protocol of single and of vectorized environments. `vector`: many copies of one side by side.
- `registry`: ids to environments. `navigation/`, on `physics/` and `batching/`, and `velocity`: the ports.
- `host/`: environments in worker processes. `safety_gymnasium/`: the original package in them.
- `adapters/` and `own`: environments of other people, named by `module:Name`.
- `gymnasium_api`: the ports by Gymnasium's rules, whose registry has the ids once this package is imported.
- `parity/`: how far the ports are from the original.

The names below are imported when they are first used, and with the first that needs Brax the ids are registered there:
worker processes import `envs.host.worker` and must do without JAX.
"""

import importlib
from typing import TYPE_CHECKING, Any

from envs import gymnasium_ids

if TYPE_CHECKING:
    from envs.adapters.costs import with_cost
    from envs.base import SafeEnv, VectorEnv
    from envs.host.pool import HostError
    from envs.host.protocol import RenderingError
    from envs.host.vector import host_scope
    from envs.navigation.env import NavigationEnv
    from envs.registry import build, is_compiled, make, make_vector, option_names, task_ids
    from envs.vector import CompiledVectorEnv, vectorize

__all__ = [
    "CompiledVectorEnv",
    "HostError",
    "NavigationEnv",
    "RenderingError",
    "SafeEnv",
    "VectorEnv",
    "build",
    "host_scope",
    "is_compiled",
    "make",
    "make_vector",
    "option_names",
    "task_ids",
    "vectorize",
    "with_cost",
]

_JAX_FREE = ("HostError", "RenderingError", "with_cost")
_MODULES = {
    "CompiledVectorEnv": "envs.vector",
    "HostError": "envs.host.pool",
    "NavigationEnv": "envs.navigation.env",
    "RenderingError": "envs.host.protocol",
    "SafeEnv": "envs.base",
    "VectorEnv": "envs.base",
    "build": "envs.registry",
    "host_scope": "envs.host.vector",
    "is_compiled": "envs.registry",
    "make": "envs.registry",
    "make_vector": "envs.registry",
    "option_names": "envs.registry",
    "task_ids": "envs.registry",
    "vectorize": "envs.vector",
    "with_cost": "envs.adapters.costs",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name not in _JAX_FREE:
        importlib.import_module("envs.registry")  # makes the ids known to Brax
    value = globals()[name] = getattr(importlib.import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return __all__


gymnasium_ids.register()
