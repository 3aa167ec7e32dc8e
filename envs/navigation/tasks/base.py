"""What a navigation task is: objects, lidars, a reward, costs, and what changes when a goal is reached.

A task is data plus four pure functions of the world before and after the robot's move; `envs.navigation.env` does the
rest. Notation: n objects or places.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp

from envs.navigation.layout import Place, Places, resample_place
from envs.navigation.world import ObjectKind, World


@dataclass(frozen=True)
class Task:
    """Base of all tasks; subclasses fill in the reward, the costs and the goal.

    `lidars` names the kinds that are seen, in the order of the observation.
    """

    kinds: tuple[ObjectKind, ...]
    lidars: tuple[str, ...]
    extents: float = 1.0  # m, half the side of the square that objects are placed in
    episode_length: int = 1000
    lidar_distance: float = 3.0  # m, from which on nothing is seen
    reward_limit: float = 10.0  # rewards are clipped to it
    agent_keepout: float = 0.4  # m
    agent_area: tuple[float, float, float, float] | None = None  # xmin, ymin, xmax, ymax; None: the whole square

    @property
    def cost_names(self) -> tuple[str, ...]:
        """The names of the cost components, as Safety-Gymnasium's info has them."""
        raise NotImplementedError

    def begin(self, world: World, key: jax.Array) -> World:
        """The world at reset, given a fresh layout."""
        return world

    def reward(self, before: World, after: World) -> jax.Array:
        """The reward `[]` of the move from `before` to `after`, under the goal of `before`."""
        raise NotImplementedError

    def costs(self, world: World) -> Mapping[str, jax.Array]:
        """Each of `cost_names` as 0 or 1 `[]`, before timers and goals change."""
        raise NotImplementedError

    def advance(self, world: World, key: jax.Array) -> World:
        """The world with timers counted down and, where the goal was reached, a new goal."""
        return world

    @property
    def options(self) -> tuple[str, ...]:
        """The names of the options that `with_options` takes, and with it `envs.make`."""
        hazards = ("hazards", "hazard_size") if self.has("hazards") else ()
        return ("episode_length", *hazards, *(("gremlin_travel",) if self.has("gremlins") else ()))

    def with_options(
        self,
        *,
        hazards: int | None = None,
        hazard_size: float | None = None,
        gremlin_travel: float | None = None,
        **fields: Any,
    ) -> "Task":
        """This task with another number or radius (m) of hazards, circle (m) of gremlins, and `fields` replaced."""
        changed = replace(self, **fields)
        if hazards is not None:
            changed = changed.with_kind("hazards", count=hazards)
        if hazard_size is not None:
            changed = changed.with_kind("hazards", size=hazard_size)
        return changed if gremlin_travel is None else changed.with_kind("gremlins", travel=gremlin_travel)

    def with_kind(self, name: str, /, **fields: Any) -> "Task":
        """This task with `fields` of the kind called `name` replaced."""
        return replace(self, kinds=tuple(replace(kind, **fields) if kind.name == name else kind for kind in self.kinds))

    def kind(self, name: str) -> ObjectKind:
        """The kind called `name`."""
        return next(kind for kind in self.kinds if kind.name == name)

    def has(self, name: str) -> bool:
        """Whether there are objects of the kind `name`."""
        return any(kind.name == name for kind in self.kinds)

    def seen(self, world: World, name: str) -> jax.Array:
        """The factor `[]` on the lidar of `name`: 0 while it is blank."""
        return jnp.ones((), world.robot.position.dtype)

    @cached_property
    def places(self) -> Places:
        """Where the robot, then each object, may be placed."""
        square = (-self.extents, -self.extents, self.extents, self.extents)
        places = [Place(self.agent_area or square, self.agent_keepout)]
        places += [Place(kind.area or square, kind.keepout) for kind in self.kinds for _ in range(kind.count)]
        return Places.of(places)

    def split(self, positions: jax.Array) -> dict[str, jax.Array]:
        """Positions `[n, 2]` of all places (the robot first) as kind -> positions."""
        objects: dict[str, Any] = {}
        start = 1
        for kind in self.kinds:
            objects[kind.name] = positions[start : start + kind.count]
            start += kind.count
        return objects

    def joined(self, world: World) -> jax.Array:
        """The inverse of `split`: where everything is now, `[n, 2]`."""
        return jnp.concatenate([world.robot.position[None], *(world.objects[kind.name] for kind in self.kinds)])

    def index(self, name: str) -> int:
        """The index of the place of the first object of the kind `name`."""
        names = [kind.name for kind in self.kinds]
        return 1 + sum(kind.count for kind in self.kinds[: names.index(name)])

    def new_goal(self, world: World, wanted: jax.Array, key: jax.Array) -> World:
        """The world with its goal at a new place that keeps clear of everything, where `wanted` `[]`."""
        goal = resample_place(key, self.places, self.index("goal"), self.joined(world), wanted)
        return world.replace(objects=world.objects | {"goal": goal[None]})


def distance(first: jax.Array, second: jax.Array) -> jax.Array:
    """The Euclidean distance `[...]` along the last axis."""
    return jnp.sqrt(jnp.sum(jnp.square(first - second), axis=-1))


def flag(condition: jax.Array, world: World) -> jax.Array:
    """1 where any of `condition` `[n]` holds, else 0, as a float `[]`."""
    return jnp.any(condition).astype(world.robot.position.dtype)


def in_hazard(task: Task, world: World) -> jax.Array:
    """1 where the robot's origin is inside a hazard, else 0, `[]` (the original's `Hazards.cal_cost`)."""
    return flag(distance(world.objects["hazards"], world.robot.position) < task.kind("hazards").size, world)
