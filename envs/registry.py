"""Ids to environments: Safety-Gymnasium's ids for both backends, which importing this registers with Brax as well."""

import envs._mjx  # noqa: F401  (first: it keeps the import of Brax quiet)

# isort: split
import difflib
import importlib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import brax.envs

from envs import own, velocity
from envs.adapters.source import Source
from envs.base import VectorEnv
from envs.navigation.env import NavigationEnv
from envs.navigation.robots import ROBOTS
from envs.navigation.tasks import NAMES, Task, task
from envs.vector import vectorize

_FIXED = ("task", "robot")
_VELOCITY_OPTIONS = ["episode_length"]


def _navigation_options(chosen: Task) -> list[str]:
    return [name for name in inspect.signature(NavigationEnv).parameters if name not in _FIXED] + [*chosen.options]


def build(chosen: Task, robot: str = "Point", **options: Any) -> NavigationEnv:
    """The environment of a task and a robot; `options` are those of `NavigationEnv` and of the task.

    Raises ValueError for an unknown robot or option, in one line.
    """
    _check(options, _navigation_options(chosen), type(chosen).__name__)
    for_task = {name: value for name, value in options.items() if name in chosen.options}
    for_env = {name: value for name, value in options.items() if name not in chosen.options}
    if robot not in ROBOTS:
        raise ValueError(f'no robot "{robot}": there are {", ".join(ROBOTS)}')
    body = ROBOTS[robot]()
    if chosen.has("push_box"):
        chosen = chosen.with_kind("push_box", size=body.push_box_half, keepout=body.push_box_half)
    return NavigationEnv(chosen.with_options(**for_task), body, **for_env)


def _named_navigation(robot: str, name: str, **options: Any) -> NavigationEnv:
    return build(task(name), robot, **options)


def _named_velocity(name: str, **options: Any) -> velocity.VelocityEnv:
    _check(options, _VELOCITY_OPTIONS, name)
    return velocity.make(name, **options)


_NAVIGATION: dict[str, partial[Any]] = {
    f"Safety{robot}{name}-v0": partial(_named_navigation, robot, name) for robot in ROBOTS for name in NAMES
}
_VELOCITY: dict[str, partial[Any]] = {
    f"Safety{name}Velocity-v1": partial(_named_velocity, name) for name in velocity.LIMITS
}
_MAKERS = _NAVIGATION | _VELOCITY


def task_ids() -> tuple[str, ...]:
    """All ids of the Brax backend."""
    return tuple(_MAKERS)


def make(task_id: str, backend: str = "brax", **options: Any) -> Any:
    """The environment called `task_id`: a `SafeEnv` ("brax") or a vector of host environments ("gymnasium").

    Raises ValueError for an unknown id, backend or option, in one line that names what comes close.
    """
    if backend == "gymnasium":
        return importlib.import_module("envs.safety_gymnasium.factory").make(task_id, **options)
    if backend != "brax":
        raise ValueError(f'backend is "{backend}": it must be "brax" or "gymnasium"')
    _check_known(task_id)
    env = _MAKERS[task_id](**options)
    env.reward_scale = 1.0  # the algorithm was tuned on the rewards of these tasks
    return env


def make_vector(
    task_id: str,
    num_envs: int,
    *,
    backend: str = "brax",
    kwargs: Mapping[str, Any] | None = None,
    folder: str | None = None,
    staggered: bool = False,
    constraints: Sequence[str] = (),
    episode_length: int | None = None,
    action_bound: float | None = None,
    observation_key: str | None = None,
    **options: Any,
) -> VectorEnv:
    """`num_envs` environments of any kind: a port, the original ("gymnasium") or one's own as `module:Name`.

    `kwargs` go to the callable that `module:Name` is, found in `folder`, too; `action_bound` and `observation_key` are
    for it alone, as of `GymnasiumEnv`. `staggered` spreads them over the phases of an episode. `options` are
    those of `make`. Raises ValueError or ImportError, in one line with the remedy.
    """
    if ":" in task_id:
        choices = own.Choices(tuple(constraints), episode_length, action_bound, observation_key)
        source = Source.parse(task_id, kwargs, folder)
        return own.make_vector(source, num_envs, choices, staggered=staggered, **options)
    given = {"kwargs": kwargs, "action_bound": action_bound, "observation_key": observation_key}
    for name, value in given.items():
        if value:
            raise ValueError(f"{name} is {value}: only an environment of your own, module:Name, takes it")
    named = {"constraints": tuple(constraints), "episode_length": episode_length}
    chosen = {name: value for name, value in named.items() if value}
    if backend == "gymnasium":
        return make(task_id, backend, num_envs=num_envs, staggered=staggered, **chosen, **options)
    return vectorize(make(task_id, backend, **chosen, **options), num_envs, staggered=staggered)


def is_compiled(
    task_id: str, backend: str = "brax", kwargs: Mapping[str, Any] | None = None, folder: str | None = None
) -> bool:
    """Whether the environment steps inside the compiled loop, not on the host.

    An environment of one's own is made to find out, once in a process. Raises as `make_vector` does.
    """
    if ":" in task_id:
        return own.is_compiled(Source.parse(task_id, kwargs, folder))
    return backend != "gymnasium"


def option_names(task_id: str) -> tuple[str, ...]:
    """The options that `make` takes for `task_id` on the Brax backend. Raises ValueError for an unknown id."""
    _check_known(task_id)
    if task_id in _VELOCITY:
        return tuple(_VELOCITY_OPTIONS)
    return tuple(_navigation_options(task(_NAVIGATION[task_id].args[1])))


def _check_known(task_id: str) -> None:
    if task_id not in _MAKERS:
        raise ValueError(f'no task "{task_id}"; {_nearest(task_id, _MAKERS)}')


def _check(options: Iterable[str], known: list[str], name: str) -> None:
    for option in options:
        if option not in known:
            raise ValueError(f'no option "{option}" for {name}; {_nearest(option, known)}')


def _nearest(given: str, known: Iterable[str]) -> str:
    names = list(known)
    close = difflib.get_close_matches(given, names, n=3, cutoff=0.4) or names[:6]
    return "close to it: " + ", ".join(close)


for _id in _MAKERS:
    brax.envs.register_environment(_id, partial(make, _id))
