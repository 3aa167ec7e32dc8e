"""Ids to environments: Safety-Gymnasium's, for both backends, registered with Brax as well."""

import difflib
import importlib
import inspect
from collections.abc import Iterable
from functools import partial
from typing import Any

import brax.envs

from envs.base import SafeEnv
from envs.navigation import NavigationEnv
from envs.robots import point
from envs.tasks import NAMES, task

_ROBOTS = {"Point": point}
_IDS = {f"Safety{robot}{name}-v0": (robot, name) for robot in _ROBOTS for name in NAMES}


def task_ids() -> tuple[str, ...]:
    """All ids of the Brax backend."""
    return tuple(_IDS)


def make(task_id: str, backend: str = "brax", **options: Any) -> Any:
    """The environment called `task_id`: a `SafeEnv` ("brax") or a host environment ("gymnasium").

    Raises ValueError for an unknown id, backend or option, in one line that names what comes close.
    """
    if backend == "gymnasium":
        return importlib.import_module("envs.safety_gymnasium").make(task_id, **options)
    if backend != "brax":
        raise ValueError(f'backend is "{backend}": it must be "brax" or "gymnasium"')
    if task_id not in _IDS:
        raise ValueError(f'no task "{task_id}"; {_nearest(task_id, _IDS)}')
    return _navigation(*_IDS[task_id], **options)


def _navigation(robot: str, name: str, **options: Any) -> SafeEnv:
    chosen = task(name)
    env_options = [key for key in inspect.signature(NavigationEnv).parameters if key not in ("task", "robot")]
    task_options = list(chosen.options)
    for key in options:
        if key not in env_options + task_options:
            raise ValueError(f'no option "{key}" for {name}; {_nearest(key, env_options + task_options)}')
    chosen = chosen.with_options(**{key: value for key, value in options.items() if key in task_options})
    return NavigationEnv(chosen, _ROBOTS[robot], **{key: value for key, value in options.items() if key in env_options})


def _nearest(given: str, known: Iterable[str]) -> str:
    names = list(known)
    close = difflib.get_close_matches(given, names, n=3, cutoff=0.4) or names[:6]
    return "close to it: " + ", ".join(close)


for _id in _IDS:
    brax.envs.register_environment(_id, partial(make, _id))
