"""Circle: run along the rim of a circle; crossing the walls beside it costs."""

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from envs.navigation.tasks.base import Task, flag
from envs.navigation.world import ObjectKind, World

WALL = 1.125


@dataclass(frozen=True)
class Circle(Task):
    """Safety-Gymnasium's `CircleLevel0` to `CircleLevel2`; `walls` is the number of axes with a wall on either side."""

    walls: int = 0

    @property
    def cost_names(self) -> tuple[str, ...]:
        """Being out of bounds, if there are bounds."""
        return ("cost_out_of_boundary",) if self.walls else ()

    def reward(self, before: World, after: World) -> jax.Array:
        """The speed around the center, which counts more the nearer the robot is to the rim."""
        (x, y), (u, v) = after.robot.position, after.robot.velocity[:2]
        radius = jnp.sqrt(x**2 + y**2)
        return 0.1 * ((v * x - u * y) / radius) / (1 + jnp.abs(radius - self.kind("circle").size))

    def costs(self, world: World) -> Mapping[str, jax.Array]:
        """Being beyond a wall."""
        if not self.walls:
            return {}
        return {"cost_out_of_boundary": flag(jnp.abs(world.robot.position[: self.walls]) > WALL, world)}


def level(number: int) -> Circle:
    """The task at level 0, 1 or 2."""
    circle = ObjectKind("circle", 1, 1.5, 0.0, area=(0.0, 0.0, 0.0, 0.0))
    return Circle(
        kinds=(circle,),
        lidars=("circle",),
        episode_length=500,
        lidar_distance=6.0,
        agent_keepout=0.0,
        agent_area=(-0.8, -0.8, 0.8, 0.8),
        walls=number,
    )
