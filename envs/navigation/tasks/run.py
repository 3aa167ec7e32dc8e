"""Run: run away along the lane between two walls; crossing them costs."""

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from envs.navigation.tasks.base import Task, distance, flag
from envs.navigation.world import World

WALL = 0.5
_START = 16.5
_DESTINATION = (0.0, -1000.0)
_SCALE = 60.0


@dataclass(frozen=True)
class Run(Task):
    """Safety-Gymnasium's `RunLevel0`."""

    @property
    def cost_names(self) -> tuple[str, ...]:
        """Being out of bounds."""
        return ("cost_out_of_boundary",)

    def reward(self, before: World, after: World) -> jax.Array:
        """60 times the decrease of the distance to a place a kilometer away.

        It is written as a difference of squares: subtracting two float32 distances of 1000 m would leave 6e-5 m of
        noise.
        """
        ahead = [
            world.robot.position - jnp.asarray(_DESTINATION, world.robot.position.dtype) for world in (before, after)
        ]
        moved = before.robot.position - after.robot.position
        total = sum(distance(offset, jnp.zeros_like(offset)) for offset in ahead)
        return _SCALE * jnp.sum(moved * (ahead[0] + ahead[1])) / total

    def costs(self, world: World) -> Mapping[str, jax.Array]:
        """Being beyond a wall."""
        return {"cost_out_of_boundary": flag(jnp.abs(world.robot.position[:1]) > WALL, world)}


def level(number: int) -> Run:
    """The task at level 0, the only one."""
    return Run(
        kinds=(),
        lidars=(),
        episode_length=500,
        reward_limit=float("inf"),
        agent_keepout=0.0,
        agent_area=(-0.2, _START, 0.2, _START),
    )
