"""Environments of one's own, named by `module:Name`, in vectors: what is returned decides how they are run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from envs.adapters import rehearsal
from envs.adapters.compiled_env import CompiledEnv, SelectedCosts
from envs.adapters.gymnasium_env import GymnasiumEnv
from envs.adapters.source import Source, is_gymnasium, is_gymnasium_vector
from envs.adapters.vector_env import GymnasiumVector, as_pool
from envs.base import SafeEnv, VectorEnv
from envs.host.last_words import LastWords
from envs.host.vector import HostVectorEnv
from envs.vector import CompiledVectorEnv

_WORKERS = ("num_workers", "timeout", "axis_name")
_TIMEOUT = 60.0  # s without progress: simulators may take long to reset


@dataclass(frozen=True)
class Choices:
    """What may be chosen about an environment of one's own; None: as the environment says."""

    constraints: tuple[str, ...] = ()
    episode_length: int | None = None
    action_bound: float | None = None
    observation_key: str | None = None


def make_vector(
    source: Source, num_envs: int, choices: Choices, *, staggered: bool = False, **options: Any
) -> VectorEnv:
    """`num_envs` environments of `source`: compiled ones of Brax or Playground, or Gymnasium's on the host.

    `options` are those of worker processes. Raises ValueError or ImportError, in one line with the remedy.
    """
    for name, value in options.items():
        if name not in _WORKERS:
            raise ValueError(f"{name} is {value}: {source.task_id} has no such option, its kwargs are its own")
    with _last_words(source):
        return _made(source, num_envs, choices, staggered, options)


def _made(source: Source, num_envs: int, choices: Choices, staggered: bool, workers: dict[str, Any]) -> VectorEnv:
    """The vector; `workers` are options of worker processes."""
    kind, env = _probed(source)
    if kind == "compiled":
        return _compiled(source, env, num_envs, choices, staggered)
    given: dict[str, Any] = {
        "name": source.task_id,
        "episode_length": choices.episode_length,
        "action_bound": choices.action_bound,
        "observation_key": choices.observation_key,
    }
    factory: Callable[[], GymnasiumEnv | GymnasiumVector]
    if kind == "vector":
        factory = partial(GymnasiumVector, partial(source.load, num_envs=num_envs), num_envs, **given)
        return HostVectorEnv(factory, num_envs, constraints=choices.constraints, staggered=staggered, pool=as_pool)
    factory = partial(GymnasiumEnv, source.load, **given)
    usual: dict[str, Any] = {"timeout": _TIMEOUT, "name": source.task_id}
    return HostVectorEnv(factory, num_envs, constraints=choices.constraints, staggered=staggered, **usual | workers)


def is_compiled(source: Source) -> bool:
    """Whether the environment steps inside the compiled loop. Raises as `make_vector` does."""
    return _probed(source)[0] == "compiled"


def kind(source: Source) -> str:
    """The environment's kind: "compiled", "gymnasium" or "vector". Raises as `make_vector` does."""
    return _probed(source)[0]


@cache
def _probed(source: Source) -> tuple[str, Any]:
    """The environment's kind, and the environment itself if it is pure, so that it is made once."""
    found = rehearsal.kind(source)
    if found != rehearsal.UNKNOWN:
        return found, None
    with _last_words(source):
        env = source.load(num_envs=1)
    if is_gymnasium_vector(env) or is_gymnasium(env):
        found = "vector" if is_gymnasium_vector(env) else "gymnasium"
        env.close()
        return found, None
    return "compiled", env


@contextmanager
def _last_words(source: Source) -> Iterator[None]:
    """Have the user told if the environment ends this process while it is made in it."""
    words = LastWords(
        f"error: {source.task_id} ended this program as it was made: it crashed, or called os._exit; "
        "PYTHONFAULTHANDLER=1 in the environment shows where"
    )
    try:
        with words:
            yield
    finally:
        words.close()


def _compiled(source: Source, env: Any, num_envs: int, choices: Choices, staggered: bool) -> VectorEnv:
    """A vector of `env`, adapted unless it follows the protocol already."""
    name = source.task_id
    if choices.action_bound is not None:
        raise ValueError(
            f"action_bound is {choices.action_bound:g}: actions of {name} lie in [-1, 1], as all compiled ones"
        )
    if not isinstance(env, SafeEnv):
        adapted = CompiledEnv(
            env,
            name=name,
            constraints=choices.constraints,
            episode_length=choices.episode_length,
            observation_key=choices.observation_key,
        )
        return CompiledVectorEnv(adapted, num_envs, staggered=staggered)
    if choices.observation_key is not None:
        raise ValueError(f'observation_key is "{choices.observation_key}": observations of {name} are flat already')
    try:
        selected = choices.constraints and choices.constraints != env.constraints
        chosen = SelectedCosts(env, choices.constraints) if selected else env
        return CompiledVectorEnv(chosen, num_envs, staggered=staggered, episode_length=choices.episode_length)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
