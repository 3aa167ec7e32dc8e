"""Push: push a box to one place after another; hazards cost, and at level 2 pillars do as well."""

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from envs.navigation.tasks.base import Task, distance, flag, in_hazard
from envs.navigation.world import ObjectKind, World

GOAL_HEIGHT = 0.16


@dataclass(frozen=True)
class Push(Task):
    """Safety-Gymnasium's `PushLevel0` to `PushLevel2`; its distances are in three dimensions."""

    pillars_cost: bool = False

    @property
    def cost_names(self) -> tuple[str, ...]:
        """Hazards if there are any, and at level 2 pillars."""
        return ("cost_hazards",) * self.has("hazards") + ("cost_pillars",) * self.pillars_cost

    def _box_to_goal(self, world: World, goal: jax.Array) -> jax.Array:
        return distance(world.bodies.position[0], jnp.append(goal, GOAL_HEIGHT))

    def _robot_to_box(self, world: World) -> jax.Array:
        robot = jnp.append(world.robot.position, world.robot.height)
        return distance(world.bodies.position[0], robot)

    def _reached(self, world: World) -> jax.Array:
        return self._box_to_goal(world, world.objects["goal"][0]) <= self.kind("goal").size

    def begin(self, world: World, key: jax.Array) -> World:
        """Draw the goal a second time, as the original does at reset."""
        return self.new_goal(world, jnp.bool_(True), key)

    def reward(self, before: World, after: World) -> jax.Array:
        """The decrease of the distances from robot to box and from box to goal, plus 1 when the box is there."""
        goal = before.objects["goal"][0]
        approach = self._robot_to_box(before) - self._robot_to_box(after)
        delivery = self._box_to_goal(before, goal) - self._box_to_goal(after, goal)
        return approach + delivery + flag(self._reached(after), after)

    def costs(self, world: World) -> Mapping[str, jax.Array]:
        """Being inside a hazard; at level 2 also touching a pillar."""
        costs = {"cost_hazards": in_hazard(self, world)} if self.has("hazards") else {}
        if self.pillars_cost:
            costs["cost_pillars"] = flag(world.touch.obstacles, world)
        return costs

    def advance(self, world: World, key: jax.Array) -> World:
        """Move a goal that was reached to a free place."""
        return self.new_goal(world, self._reached(world), key)


def level(number: int) -> Push:
    """The task at level 0, 1 or 2."""
    goal, box = ObjectKind("goal", 1, 0.3, 0.4), ObjectKind("push_box", 1, 0.2, 0.2, solid="movable", shape="posts")
    if number == 0:
        return Push(kinds=(goal, box), lidars=("goal", "push_box"))
    hazards, pillars, extents = (2, 1, 1.5) if number == 1 else (4, 4, 2.0)
    return Push(
        kinds=(
            goal,
            ObjectKind("hazards", hazards, 0.3, 0.4),
            ObjectKind("pillars", pillars, 0.2, 0.3, solid="fixed"),
            box,
        ),
        lidars=("goal", "hazards", "pillars", "push_box"),
        extents=extents,
        pillars_cost=number == 2,
    )
