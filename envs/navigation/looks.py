"""How a navigation task looks from above, the same in pictures and on pages: colors, outlines, walls, the view.

Lengths are in meters, colors RGBA in 0..255.
"""

from typing import Literal

import jax
import numpy as np

from envs.navigation.canvas import Color
from envs.navigation.tasks import Task, circle, run
from envs.navigation.world import ObjectKind

Outline = Literal["disc", "solid", "rim", "box", "posts", "button"]

OTHER: Color = (150, 130, 110, 255)
COLORS: dict[str, Color] = {
    "goal": (46, 160, 67, 255),
    "hazards": (70, 110, 220, 255),
    "vases": (40, 170, 170, 255),
    "buttons": (240, 140, 30, 255),
    "gremlins": (140, 60, 190, 255),
    "circle": (46, 160, 67, 255),
    "push_box": (205, 165, 30, 255),
    "pillars": (90, 90, 100, 255),
}
MARGIN = 0.6  # m around the places
LIDAR_RADIUS, LIDAR_WIDTH, LIDAR_SPACING = 0.24, 0.035, 1.25  # of the innermost ring; spacing in widths


def color(name: str) -> Color:
    """The color of the objects called `name`."""
    return COLORS.get(name, OTHER)


def outline(kind: ObjectKind) -> Outline:
    """What the objects of a kind look like: some tasks' kinds have a look of their own."""
    if kind.name == "buttons":
        return "button"
    if kind.name == "circle":
        return "rim"
    if kind.solid == "movable":
        return "posts" if kind.shape == "posts" else "box"
    return "solid" if kind.solid == "fixed" else "disc"


def half(task: Task) -> float:
    """Half the side of the square that is in view."""
    return (task.kind("circle").size if task.has("circle") else task.extents) + MARGIN


def reach(task: Task) -> float:
    """How far the robot may go from the middle before the view moves with it; 0 where it always does.

    The view stays over the places and moves where the robot would leave it; without places it follows the robot.
    """
    return half(task) - MARGIN / 2 if task.kinds else 0.0


def walls(task: Task) -> list[tuple[int, float]]:
    """Axis (0: x, 1: y) and distance from the middle of each pair of walls."""
    if isinstance(task, run.Run):
        return [(0, run.WALL)]
    return [(axis, circle.WALL) for axis in range(task.walls)] if isinstance(task, circle.Circle) else []


def yaw(quaternions: np.ndarray | jax.Array) -> np.ndarray:
    """The angle `[...]` (rad) about the vertical axis of `quaternions` `[..., 4]`."""
    w, x, y, z = np.moveaxis(np.asarray(quaternions), -1, 0)
    return np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
