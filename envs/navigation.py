"""A navigation environment: a robot module and a task, put together as a Brax environment.

C constraints, n objects of a kind.
"""

from collections.abc import Mapping
from types import ModuleType
from typing import Any, Literal

import jax
import jax.numpy as jnp
from brax.envs import State

from envs import gremlins
from envs.base import SafeEnv, select_costs
from envs.layout import sample_layout
from envs.lidar import BINS, ego_frame, lidar
from envs.tasks import Task
from envs.world import World

BOXES = ("vases", "gremlins", "push_box")


class NavigationEnv(SafeEnv):
    """Safety-Gymnasium's navigation tasks on planar physics.

    `constraints` names the cost components that make up `info["cost"]`; empty: their binary sum. `layout="fixed"`
    begins every episode in the one layout drawn from `seed`.
    """

    def __init__(
        self,
        task: Task,
        robot: ModuleType,
        *,
        constraints: tuple[str, ...] = (),
        layout: Literal["random", "fixed"] = "random",
        seed: int = 0,
    ) -> None:
        unknown = set(constraints) - set(task.cost_names)
        if unknown:
            raise ValueError(f"no cost component {sorted(unknown)}: this task has {list(task.cost_names)}")
        if layout not in ("random", "fixed"):
            raise ValueError(f'layout is "{layout}": it must be "random" or "fixed"')
        self.task = task
        self.robot = robot
        self.constraints = tuple(constraints)
        self.episode_length = task.episode_length
        self.cost_names = task.cost_names
        self._fixed_key = jax.random.PRNGKey(seed) if layout == "fixed" else None

    @property
    def observation_size(self) -> int:
        """Sensors of the robot and 16 bins a lidar."""
        return self.robot.SENSOR_SIZE + BINS * len(self.task.lidars)

    @property
    def action_size(self) -> int:
        """Actuators of the robot."""
        return self.robot.ACTION_SIZE

    @property
    def backend(self) -> str:
        """The engine: this package's planar physics."""
        return "planar"

    @property
    def num_constraints(self) -> int:
        """C."""
        return max(1, len(self.constraints))

    def reset(self, rng: jax.Array) -> State:
        """The start of an episode in a layout drawn from `rng`."""
        layout_key, episode_key = jax.random.split(rng)
        world = self._place(layout_key if self._fixed_key is None else self._fixed_key, episode_key)
        zero = jnp.zeros((), world.robot.position.dtype)
        components = dict.fromkeys(self.cost_names, zero)
        return State(
            pipeline_state=world,
            obs=self.observe(world),
            reward=zero,
            done=zero,
            info=self._info(components, zero),
        )

    def step(self, state: State, action: jax.Array) -> State:
        """One env step under `action` `[A]`, clipped to -1..1."""
        before: World = state.pipeline_state
        moved = self.move(before, jnp.clip(action, -1.0, 1.0))
        reward = self.task.reward(self.robot, before, moved)
        components = self.task.costs(self.robot, moved)
        world = self.task.advance(self.robot, moved, jax.random.fold_in(moved.key, moved.steps))
        truncation = (world.steps >= self.episode_length).astype(reward.dtype)
        return state.replace(
            pipeline_state=world,
            obs=self.observe(world),
            reward=jnp.clip(reward, -self.task.reward_limit, self.task.reward_limit),
            info=state.info | self._info(components, truncation),
        )

    def move(self, world: World, action: jax.Array) -> World:
        """The world after the physics of one env step."""
        timestep, substeps = self.robot.TIMESTEP, self.robot.SUBSTEPS
        robot = self.robot.step(world.robot, action, timestep)
        moved = world.replace(robot=robot, steps=world.steps + 1)
        if world.carrier is None:
            return moved
        time = world.steps.astype(robot.position.dtype) * (timestep * substeps)
        carrier = gremlins.step(world.carrier, time, timestep, substeps)
        shifted = world.objects["gremlins"] + (carrier.offset - world.carrier.offset)
        return moved.replace(carrier=carrier, objects=world.objects | {"gremlins": shifted})

    def observe(self, world: World) -> jax.Array:
        """Sensors, then the lidars; `[O]`."""
        readings = [self.robot.sensors(world.robot)]
        for name in self.task.lidars:
            ego = ego_frame(world.objects[name], world.robot.position, world.robot.yaw)
            readings.append(lidar(ego, self.task.lidar_distance) * self.task.seen(world, name))
        return jnp.concatenate(readings)

    def _place(self, layout_key: jax.Array, episode_key: jax.Array) -> World:
        keys = jax.random.split(layout_key, 4)
        positions = sample_layout(keys[0], self.task.places)
        world = World(
            robot=self.robot.initial(positions[0], 2 * jnp.pi * jax.random.uniform(keys[1], dtype=positions.dtype)),
            objects=self.task.split(positions),
            yaws=self._yaws(keys[2], positions.dtype),
            carrier=gremlins.initial(positions) if self.task.has("gremlins") else None,
            memory={},
            steps=jnp.int32(0),
            key=episode_key,
        )
        return self.task.begin(world, keys[3])

    def _yaws(self, key: jax.Array, dtype: jnp.dtype) -> dict[str, jax.Array]:
        kinds = [kind for kind in self.task.kinds if kind.name in BOXES]
        return {
            kind.name: 2 * jnp.pi * jax.random.uniform(jax.random.fold_in(key, index), (kind.count,), dtype=dtype)
            for index, kind in enumerate(kinds)
        }

    def _info(self, components: Mapping[str, jax.Array], truncation: jax.Array) -> dict[str, Any]:
        return {
            "cost": select_costs(dict(components), self.constraints),
            "cost_components": dict(components),
            "truncation": truncation,
        }
