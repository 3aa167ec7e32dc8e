"""Batches of Safety-Gymnasium's own environments in worker processes, for compiled code."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

from envs.host.vector import HostVectorEnv
from envs.safety_gymnasium.env import SafetyGymnasiumEnv


def make(
    task_id: str,
    *,
    num_envs: int = 1,
    constraints: Sequence[str] = (),
    layout: Literal["random", "fixed"] = "random",
    seed: int = 0,
    episode_length: int | None = None,
    **options: Any,
) -> HostVectorEnv:
    """`num_envs` environments of `task_id`, which is any registered single-agent id, as a `VectorEnv`.

    `constraints` names the cost components that make up `info["cost"]`; empty: the total. `layout="fixed"` makes every
    episode that of `seed`; `episode_length` cuts episodes short. `options` are those of `HostVectorEnv` and
    `WorkerPool`: `num_workers`, `timeout` (s), `axis_name`. Raises ImportError if the package is missing and ValueError
    for an unknown id or constraint or a bad layout or length.
    """
    if layout not in ("random", "fixed"):
        raise ValueError(f'layout is "{layout}": it must be "random" or "fixed"')
    fixed_seed = seed if layout == "fixed" else None
    factory = partial(SafetyGymnasiumEnv, task_id, fixed_seed=fixed_seed, episode_length=episode_length)
    return HostVectorEnv(factory, num_envs, constraints=constraints, name=task_id, **options)
