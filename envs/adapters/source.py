"""Where an environment comes from: `module:Name`, loaded alike in the program and in its worker processes.

It does without JAX, and without Gymnasium until the module imports that: workers load their environments here.
"""

import importlib
import importlib.util
import inspect
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

from envs.adapters.errors import describe

SUPPORTED = "supported are gymnasium.Env, gymnasium.vector.VectorEnv, brax.envs.Env and MuJoCo Playground environments"


@dataclass(frozen=True)
class Source:
    """`module:Name` with the arguments `kwargs` (a JSON object) and the folder that the module may lie in."""

    module: str
    name: str
    kwargs: str = "{}"
    folder: str | None = None

    @classmethod
    def parse(cls, task_id: str, kwargs: Mapping[str, Any] | None = None, folder: str | None = None) -> "Source":
        """The source that `task_id` names; raises ValueError unless it is module:Name and `kwargs` are JSON."""
        module, _, name = task_id.partition(":")
        if not all(part.isidentifier() for part in module.split(".")) or not name:
            raise ValueError(f'"{task_id}" is not module:Name, such as my_tasks:make_arm or gymnasium:Pendulum-v1')
        try:
            text = json.dumps(dict(kwargs or {}), sort_keys=True)
        except TypeError as error:
            raise ValueError(f"{task_id}: kwargs {kwargs} are not JSON: {error}") from error
        return cls(module, name, text, folder)

    @property
    def task_id(self) -> str:
        """The id that names it."""
        return f"{self.module}:{self.name}"

    def load(self, num_envs: int | None = None) -> Any:
        """Make the environment; `num_envs` is passed on where the callable has an argument of that name.

        Raises ImportError where the module is missing or raises, and ValueError for everything else, in one line.
        """
        make = self._maker(self._import())
        kwargs = json.loads(self.kwargs)
        if num_envs is not None and "num_envs" not in kwargs and _takes_num_envs(make):
            kwargs["num_envs"] = num_envs
        try:
            env = make(**kwargs)
        except (Exception, SystemExit) as error:
            raise ValueError(f"{self.task_id} could not be made with {kwargs}: {describe(error)}") from error
        if not _is_environment(env):
            raise ValueError(f"{self.task_id} returned {_told(env)}: {SUPPORTED}")
        return env

    def _maker(self, module: ModuleType) -> Callable[..., Any]:
        """What makes the environment: a callable of the module, or of a library that knows the name as an id."""
        value = getattr(module, self.name, None)
        if callable(value):
            return value
        registered = _registered(self.name)
        if registered is not None:
            return registered
        if is_compiled(value):  # nothing ever changes a pure environment, so that it can stand ready
            return lambda: value
        if _is_environment(value):
            raise ValueError(
                f"{self.task_id} is an environment: name a function that makes one, for each process its own"
            )
        raise ValueError(
            f'{self.task_id}: module {self.module} has no callable "{self.name}", nor is it an id; {self._near(module)}'
        )

    def _import(self) -> ModuleType:
        """The module, also from `folder` and the working folder, where it must not have an installed one's name."""
        folders = [folder for folder in (self.folder, os.getcwd()) if folder is not None]
        sys.path += [folder for folder in dict.fromkeys(folders) if folder not in sys.path]
        importlib.invalidate_caches()
        try:
            module = importlib.import_module(self.module)
        except (Exception, SystemExit) as error:
            if isinstance(error, ModuleNotFoundError) and _is_part(error.name, self.module):
                looked = " and ".join(dict.fromkeys(folders))
                raise ImportError(
                    f"{self.task_id}: there is no module {error.name} in {looked}, nor is one installed; "
                    "run from the folder it lies in, or name that by --env.folder"
                ) from error
            raise ImportError(f"{self.task_id}: module {self.module} cannot be imported: {describe(error)}") from error
        self._check_same(module)
        return module

    def _check_same(self, module: ModuleType) -> None:
        """Raise ImportError if `folder` has the module, but one of the same name was imported from elsewhere."""
        if self.folder is None:
            return
        path = Path(self.folder, *self.module.split("."))
        here = [file for file in (path.with_suffix(".py"), path / "__init__.py") if file.exists()]
        found = getattr(module, "__file__", None)
        if here and (found is None or not here[0].samefile(found)):
            raise ImportError(
                f"{self.task_id} is {here[0]}, but {found} was imported under its name: rename one of them"
            )

    def _near(self, module: ModuleType) -> str:
        own = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        close = get_close_matches(self.name, [*own, *_registered_ids()], n=3, cutoff=0.5) or own[:6]
        return f"close to it: {', '.join(close)}" if close else "nothing in it can be called"


def _is_part(name: str | None, module: str) -> bool:
    return name is not None and f"{module}.".startswith(f"{name}.")


def _registered(name: str) -> Callable[..., Any] | None:
    """What makes the environment registered as `name` with a library that is imported, None if there is none."""
    gymnasium, brax = sys.modules.get("gymnasium"), sys.modules.get("brax.envs")
    if gymnasium is not None and name in gymnasium.registry:
        return lambda **kwargs: gymnasium.make(name, **{"disable_env_checker": True} | kwargs)
    if brax is not None and name in brax._envs:
        return lambda **kwargs: brax.get_environment(name, **kwargs)
    if "mujoco_playground" in sys.modules:
        playground = sys.modules["mujoco_playground"].registry
        if name in playground.ALL_ENVS:
            return lambda **kwargs: playground.load(name, config_overrides=_simulator(playground, name) | kwargs)
    return None


def _simulator(playground: ModuleType, name: str) -> dict[str, str]:
    """MJX in JAX where Playground's choice, NVIDIA's Warp, is not installed."""
    missing = importlib.util.find_spec("warp") is None
    return {"impl": "jax"} if missing and playground.get_default_config(name).get("impl") == "warp" else {}


def _registered_ids() -> list[str]:
    gymnasium, brax = sys.modules.get("gymnasium"), sys.modules.get("brax.envs")
    ids = [*(gymnasium.registry if gymnasium else ()), *(brax._envs if brax else ())]
    if "mujoco_playground" in sys.modules:
        ids += sys.modules["mujoco_playground"].registry.ALL_ENVS
    return ids


def _takes_num_envs(make: Callable[..., Any]) -> bool:
    try:
        return "num_envs" in inspect.signature(make).parameters
    except (TypeError, ValueError):  # written in C, or otherwise without one
        return False


def is_gymnasium(env: Any) -> bool:
    """Whether `env` is a single environment of Gymnasium's."""
    gymnasium = sys.modules.get("gymnasium")
    return gymnasium is not None and isinstance(env, gymnasium.Env)


def is_gymnasium_vector(env: Any) -> bool:
    """Whether `env` is a vector of environments of Gymnasium's."""
    gymnasium = sys.modules.get("gymnasium")
    return gymnasium is not None and isinstance(env, gymnasium.vector.VectorEnv)


def is_compiled(env: Any) -> bool:
    """Whether `env` steps in JAX, as an environment of Brax, of MuJoCo Playground or of ours does."""
    names = ("reset", "step", "observation_size", "action_size")
    # Static, since Playground traces a reset to tell an observation's size.
    return not isinstance(env, type) and all(inspect.getattr_static(env, name, None) is not None for name in names)


def _is_environment(env: Any) -> bool:
    return is_gymnasium(env) or is_gymnasium_vector(env) or is_compiled(env)


def _told(env: Any) -> str:
    """What was returned instead of an environment, in words."""
    if env is None:
        return "None (is a return missing?)"
    if isinstance(env, type):
        return f"the class {env.__name__} (return an instance of it)"
    modules = {base.__module__.partition(".")[0] for base in type(env).__mro__}
    hint = " of the former gym (derive it from gymnasium.Env)" if "gym" in modules else ""
    return f"a {type(env).__module__}.{type(env).__qualname__}{hint}"
