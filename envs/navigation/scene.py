"""Which of a task's objects the physics has to know, and as what."""

from types import ModuleType
from typing import Literal

from envs.navigation.tasks import Task
from envs.navigation.world import Kind
from envs.physics import BodyKind, Scene, gremlin, push_box, vase

_OBSTACLES: dict[str, Literal["button", "pillar"]] = {"buttons": "button", "pillars": "pillar"}
_MOVABLE = ("vases", "gremlins", "push_box")


def obstacle_kind(kind: Kind) -> bool:
    """Whether objects of `kind` are solid and stand still."""
    return kind.name in _OBSTACLES


def movable_kind(kind: Kind) -> bool:
    """Whether objects of `kind` are solid and can be moved."""
    return kind.name in _MOVABLE


def _body(kind: Kind, robot: ModuleType) -> BodyKind:
    if kind.name == "push_box":
        return push_box(half=kind.size, density=robot.PUSH_BOX_DENSITY)
    return gremlin(kind.travel) if kind.name == "gremlins" else vase()


def scene_of(task: Task, robot: ModuleType) -> Scene:
    """The solid objects of `task`. Raises ValueError for more than one kind of obstacle or of movable body."""
    obstacles = [kind for kind in task.kinds if obstacle_kind(kind)]
    movable = [kind for kind in task.kinds if movable_kind(kind)]
    for kinds in (obstacles, movable):
        if len(kinds) > 1:
            names = ", ".join(kind.name for kind in kinds)
            raise ValueError(f"{names} in one task: the physics knows one kind of obstacle and one of movable body")
    return Scene(
        obstacle=_OBSTACLES[obstacles[0].name] if obstacles else "button",
        obstacles=sum(kind.count for kind in obstacles),
        body=_body(movable[0], robot) if movable else None,
        bodies=sum(kind.count for kind in movable),
    )
