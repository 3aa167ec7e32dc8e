"""Button: press the goal button; wrong buttons, hazards and gremlins cost."""

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from envs.navigation.tasks.base import Task, distance, flag, in_hazard
from envs.navigation.world import Kind, World

RESAMPLING_DELAY = 10


@dataclass(frozen=True)
class Button(Task):
    """Safety-Gymnasium's `ButtonLevel0` to `ButtonLevel2`.

    `initial_timer` is 0 in the release on PyPI and 10 in the repository's head.
    """

    initial_timer: int = 0

    @property
    def cost_names(self) -> tuple[str, ...]:
        """None at level 0, where no object is constrained."""
        return ("cost_buttons", "cost_hazards", "cost_gremlins") if self.has("hazards") else ()

    @property
    def options(self) -> tuple[str, ...]:
        """The timer at reset as well."""
        return (*super().options, "initial_timer")

    def _pick(self, world: World, wanted: jax.Array, key: jax.Array, timer: jax.Array | int) -> World:
        """A goal button drawn from all where `wanted`, with the timer set to `timer`."""
        drawn = jax.random.randint(key, (), 0, self.kind("buttons").count, jnp.int32)
        button = jnp.where(wanted, drawn, world.memory["goal_button"])
        memory = {"goal_button": button, "timer": jnp.where(wanted, timer, world.memory["timer"]).astype(jnp.int32)}
        return world.replace(memory=memory, objects=world.objects | {"goal": world.objects["buttons"][button][None]})

    def begin(self, world: World, key: jax.Array) -> World:
        """A first goal button."""
        world = world.replace(memory={"goal_button": jnp.int32(0), "timer": jnp.int32(0)})
        return self._pick(world, jnp.bool_(True), key, self.initial_timer)

    def reward(self, before: World, after: World) -> jax.Array:
        """Decrease of the distance to the goal button, 1 while touching it."""
        goal = before.objects["goal"][0]
        progress = distance(goal, before.robot.position) - distance(goal, after.robot.position)
        return progress + flag(after.touch.obstacles[after.memory["goal_button"]], after)

    def costs(self, world: World) -> Mapping[str, jax.Array]:
        """Touching a wrong button while the timer is 0, being inside a hazard, touching a gremlin."""
        if not self.cost_names:
            return {}
        buttons = jnp.arange(self.kind("buttons").count)
        wrong = world.touch.obstacles & (buttons != world.memory["goal_button"]) & (world.memory["timer"] == 0)
        return {
            "cost_buttons": flag(wrong, world),
            "cost_hazards": in_hazard(self, world),
            "cost_gremlins": flag(world.touch.bodies, world),
        }

    def advance(self, world: World, key: jax.Array) -> World:
        """The timer counts down; a pressed goal button is followed by another draw and starts the timer."""
        reached = world.touch.obstacles[world.memory["goal_button"]]
        ticked = jnp.maximum(world.memory["timer"] - 1, 0)
        return self._pick(world.replace(memory=world.memory | {"timer": ticked}), reached, key, RESAMPLING_DELAY)

    def seen(self, world: World, name: str) -> jax.Array:
        """The buttons are invisible while the timer runs."""
        visible = (world.memory["timer"] == 0) if name == "buttons" else jnp.bool_(True)
        return visible.astype(world.robot.position.dtype)


def level(number: int) -> Button:
    """Level 0, 1 or 2."""
    buttons, goal = Kind("buttons", 4, 0.1, 0.2), Kind("goal", 1, 0.2, 0.4)
    if number == 0:
        return Button(kinds=(buttons, goal), lidars=("buttons", "goal"))
    hazards, gremlins, extents = (4, 4, 1.5) if number == 1 else (8, 6, 1.8)
    kinds = (buttons, goal, Kind("hazards", hazards, 0.2, 0.18), Kind("gremlins", gremlins, 0.1, 0.4))
    return Button(kinds=kinds, lidars=("buttons", "goal", "hazards", "gremlins"), extents=extents)
