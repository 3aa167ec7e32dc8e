"""Which of a task's objects the physics has to know, and as what."""

from dataclasses import replace

from envs.navigation.robots import Robot
from envs.navigation.tasks import Task
from envs.navigation.world import ObjectKind
from envs.physics import BodyKind, Scene, cube, push_box


def scene_of(task: Task, robot: Robot) -> Scene:
    """The solid objects of `task`. Raises ValueError for more than one kind of obstacle or of movable body."""
    obstacle, body = _only_kind(task, "fixed"), _only_kind(task, "movable")
    scene = Scene()
    if obstacle is not None:
        scene = replace(
            scene,
            obstacle_shape="sphere" if obstacle.shape == "sphere" else "cylinder",
            obstacle_radius=obstacle.size,
            obstacles=obstacle.count,
        )
    return scene if body is None else replace(scene, body=_body(body, robot), bodies=body.count)


def _only_kind(task: Task, solid: str) -> ObjectKind | None:
    kinds = [kind for kind in task.kinds if kind.solid == solid]
    if len(kinds) > 1:
        names = ", ".join(kind.name for kind in kinds)
        raise ValueError(f"{names} in one task: the physics knows one kind of obstacle and one of movable body")
    return kinds[0] if kinds else None


def _body(kind: ObjectKind, robot: Robot) -> BodyKind:
    if kind.shape == "posts":
        return push_box(kind.size, robot.push_box_density)
    return cube(kind.size, kind.travel)
