"""What a check of an environment is asked for. It does without JAX, for commands that list it as their options."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Request:
    """Which environment to check, and what is chosen about it, as in `envs.make_vector`."""

    id: str
    """module:Name, or the id of a task."""
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the function Name."""
    folder: str | None = None
    """The folder the module lies in, if not this one."""
    backend: Literal["brax", "gymnasium"] | None = None
    """Of a task: the port, or the original."""
    episode_length: int | None = None
    """Steps of an episode; None: as the environment says."""
    action_bound: float | None = None
    """Bound on actions that have none."""
    observation_key: str | None = None
    """The entry of dictionary observations that is used."""
