"""The robots, one class in one file.

- `base`: `Robot`, what a task needs of a robot on top of what the physics needs.
- `point`: a sphere with an arrow that slides on the plane.
- `car`: a chassis on two driven wheels and a ball caster.
"""

from envs.navigation.robots.base import Robot
from envs.navigation.robots.car import Car
from envs.navigation.robots.point import Point

ROBOTS: dict[str, type[Robot]] = {robot.name: robot for robot in (Point, Car)}
"""The robots by the names that task ids have."""

__all__ = ["ROBOTS", "Car", "Point", "Robot"]
