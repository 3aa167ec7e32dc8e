"""What a navigation world holds, and the kinds of objects in it.

Notation: n objects of a kind.
"""

from dataclasses import dataclass
from typing import Any, Literal

import jax
from flax import struct

from envs.physics import Bodies, Touch


@dataclass(frozen=True)
class ObjectKind:
    """Objects that look and behave alike.

    What is not solid can be passed through. Fixed objects are pillars (upright cylinders), or with the shape "sphere"
    spheres on the floor. Movable objects are cubes, or with the shape "posts" cubes with a post at each corner. Raises
    ValueError for a combination of fields that has no meaning.
    """

    name: str
    count: int
    size: float  # m, a radius or half a side
    keepout: float  # m, the minimum distance around it in a layout
    area: tuple[float, float, float, float] | None = (
        None  # where they are placed: xmin, ymin, xmax, ymax; None: anywhere
    )
    solid: Literal["no", "fixed", "movable"] = "no"
    shape: Literal["plain", "sphere", "posts"] = "plain"
    travel: float | None = None  # m, the radius of the circle that movable cubes are carried around, by welds

    def __post_init__(self) -> None:
        needed = {"plain": self.solid, "sphere": "fixed", "posts": "movable"}[self.shape]
        if self.solid != needed:
            raise ValueError(f'{self.name} have solid="{self.solid}": the shape "{self.shape}" needs "{needed}"')
        if self.travel is not None and (self.solid, self.shape) != ("movable", "plain"):
            raise ValueError(f'{self.name} cannot travel: that needs solid="movable" and shape="plain"')


class World(struct.PyTreeNode):
    """The whole state of one environment. Positions are in the world frame, in m."""

    robot: Any  # the robot's own state
    objects: dict[str, jax.Array]  # kind -> present positions [n, 2]
    bodies: Bodies  # the movable objects, of one kind at most
    touch: Touch  # what the robot touched at the end of the last step
    memory: dict[str, jax.Array]  # what the task remembers between steps, each []
    steps: jax.Array  # int32 [], env steps since the reset
    key: jax.Array  # of this episode
