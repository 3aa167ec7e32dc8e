"""What a navigation world holds, and the kinds of objects in it.

n objects of a kind.
"""

from dataclasses import dataclass
from typing import Any

import jax
from flax import struct

from envs.physics import Bodies, Touch


@dataclass(frozen=True)
class Kind:
    """Some objects that look and behave alike; `size` is a radius or half side in m, `keepout` their layout distance.

    `area` (xmin, ymin, xmax, ymax) narrows where they are placed; None: the task's extents. `travel` (m) is the radius
    of the circle that gremlins move on.
    """

    name: str
    count: int
    size: float
    keepout: float
    area: tuple[float, float, float, float] | None = None
    travel: float = 0.35


class World(struct.PyTreeNode):
    """One environment's whole state. Positions are in the world frame, in m."""

    robot: Any  # the robot module's state
    objects: dict[str, jax.Array]  # kind -> positions [n, 2], now
    bodies: Bodies  # the movable objects, of one kind at most
    touch: Touch  # what the robot touched at the end of the last step
    memory: dict[str, jax.Array]  # what the task remembers between steps, each []
    steps: jax.Array  # int32 [], env steps since the reset
    key: jax.Array  # of this episode
