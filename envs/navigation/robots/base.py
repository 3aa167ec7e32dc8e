"""What the navigation tasks need of a robot, besides how it moves.

Notation: n points, O sensor readings.
"""

import abc
from typing import Any, Literal, NamedTuple

import jax

from envs.physics import RobotModel


class Patch(NamedTuple):
    """A patch of a robot's silhouette, seen from above with the robot's x axis ahead; lengths in m."""

    shape: Literal["disc", "box"]
    center: tuple[float, float]
    extent: tuple[float, ...]  # (radius,) of a disc, half sides of a box


class Robot(RobotModel):
    """A robot of the navigation tasks.

    Its state is a pytree of its own with at least `position` `[2]` (m), `height` `[]` (m), `yaw` `[]` (rad) and
    `velocity` (m/s, world frame, x and y first).
    """

    name: str
    action_size: int
    sensor_sizes: tuple[tuple[str, int], ...]  # sensors and their numbers of readings, in the order of `sensors`
    push_box_half: float  # m, half the side of the box that fits it
    push_box_density: float  # kg/m^3
    silhouette: tuple[Patch, ...]

    @property
    def sensor_size(self) -> int:
        """The number of sensor readings O."""
        return sum(size for _, size in self.sensor_sizes)

    def readings_of(self, sensor: str) -> slice:
        """Which entries of `sensors` the sensor of that name has."""
        names, sizes = zip(*self.sensor_sizes, strict=True)
        index = names.index(sensor)
        return slice(sum(sizes[:index]), sum(sizes[: index + 1]))

    @abc.abstractmethod
    def initial(self, position: jax.Array, yaw: jax.Array) -> Any:
        """The state of the robot at rest at `position` `[2]`, heading along `yaw` `[]`."""

    @abc.abstractmethod
    def sensors(self, state: Any) -> jax.Array:
        """All sensor readings, `[O]`."""

    @abc.abstractmethod
    def ego_frame(self, state: Any, points: jax.Array) -> jax.Array:
        """World `points` `[n, 2]` on the floor in the robot's frame, x ahead; `[n, 2]`."""
