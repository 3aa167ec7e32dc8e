"""A navigation environment: a robot and a task in the planar world, put together as a Brax environment.

Notation: C constraints, A action dimensions, O observation size.
"""

from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import lax

from envs import physics
from envs.base import SafeEnv, State, select_costs
from envs.navigation.layout import sample_layout
from envs.navigation.lidar import BINS, lidar
from envs.navigation.robots import Robot
from envs.navigation.scene import scene_of
from envs.navigation.tasks import Task
from envs.navigation.world import World


class NavigationEnv(SafeEnv):
    """Safety-Gymnasium's navigation tasks on planar physics.

    `constraints` names the cost components that make up `info["cost"]`; empty: their binary sum. With `layout="fixed"`
    every episode begins in the one layout drawn from `seed`. `control_step` (s) is how long each action acts; None: ten
    of the robot's timesteps, as in the original. Raises ValueError for what does not fit the task or the robot.
    """

    def __init__(
        self,
        task: Task,
        robot: Robot,
        *,
        constraints: tuple[str, ...] = (),
        layout: Literal["random", "fixed"] = "random",
        seed: int = 0,
        control_step: float | None = None,
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
        self._repeats, substeps = _substeps(control_step, robot.timestep, robot.substeps)
        self._physics_step = robot.timestep * substeps
        self.control_step = self._repeats * self._physics_step
        self._places = task.places
        self._scene = scene_of(task, robot)
        self._physics = physics.make_step(robot, self._scene, substeps)
        self._fixed_key = jax.random.PRNGKey(seed) if layout == "fixed" else None

    @property
    def observation_size(self) -> int:
        """The robot's sensor readings and 16 bins per lidar."""
        return self.robot.sensor_size + BINS * len(self.task.lidars)

    @property
    def action_size(self) -> int:
        """The number of the robot's actuators."""
        return self.robot.action_size

    @property
    def backend(self) -> str:
        """The physics engine, which is this package's own."""
        return "planar"

    def reset(self, rng: jax.Array) -> State:
        """Begin an episode in a layout drawn from `rng`."""
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
        """Make one env step under `action` `[A]`, which is clipped to -1..1."""
        before: World = state.pipeline_state
        moved = self.move(before, jnp.clip(action, -1.0, 1.0))
        reward = self.task.reward(before, moved)
        components = self.task.costs(moved)
        world = self.task.advance(moved, jax.random.fold_in(moved.key, moved.steps))
        truncation = (world.steps >= self.episode_length).astype(reward.dtype)
        return state.replace(
            pipeline_state=world,
            obs=self.observe(world),
            reward=jnp.clip(reward, -self.task.reward_limit, self.task.reward_limit),
            info=state.info | self._info(components, truncation),
        )

    def move(self, world: World, action: jax.Array) -> World:
        """The world after the physics of one env step under `action` `[A]` in -1..1."""
        start = world.steps.astype(world.robot.position.dtype) * self.control_step
        obstacles = self._obstacles(world)

        def advance(index: jax.Array | int, state: tuple[Any, ...]) -> tuple[Any, ...]:
            robot, bodies, _ = state
            return self._physics(robot, bodies, obstacles, action, start + index * self._physics_step)

        state = (world.robot, world.bodies, world.touch)
        robot, bodies, touch = (
            advance(0, state) if self._repeats == 1 else lax.fori_loop(0, self._repeats, advance, state)
        )
        moved = {kind.name: bodies.position[:, :2] for kind in self.task.kinds if kind.solid == "movable"}
        return world.replace(
            robot=robot, bodies=bodies, touch=touch, objects=world.objects | moved, steps=world.steps + 1
        )

    def in_reach(self, world: World) -> jax.Array:
        """Whether the robot may touch anything but the floor within the next `control_step`, `[]`."""
        surroundings = physics.Surroundings(world.bodies, self._obstacles(world))
        return physics.in_reach(self._scene, self.robot, world.robot, surroundings, self.control_step)

    def observe(self, world: World) -> jax.Array:
        """The observation `[O]`: the robot's sensors, then the lidars."""
        readings = [self.robot.sensors(world.robot)]
        for name in self.task.lidars:
            ego = self.robot.ego_frame(world.robot, world.objects[name])
            readings.append(lidar(ego, self.task.lidar_distance) * self.task.seen(world, name))
        return jnp.concatenate(readings)

    def _place(self, layout_key: jax.Array, episode_key: jax.Array) -> World:
        place_key, robot_key, body_key, task_key = jax.random.split(layout_key, 4)
        positions = sample_layout(place_key, self._places)
        dtype = positions.dtype
        objects = self.task.split(positions)
        scene = self._scene
        where = jnp.concatenate(
            [jnp.zeros((0, 2), dtype), *(objects[k.name] for k in self.task.kinds if k.solid == "movable")]
        )
        yaws = 2 * jnp.pi * jax.random.uniform(body_key, (scene.bodies,), dtype)
        with jax.ensure_compile_time_eval():  # of the height at rest
            bodies = physics.at_rest(scene.body or physics.cube(0.1), where, yaws)
        world = World(
            robot=self.robot.initial(positions[0], 2 * jnp.pi * jax.random.uniform(robot_key, dtype=dtype)),
            objects=objects,
            bodies=bodies,
            touch=physics.Touch(jnp.zeros(scene.obstacles, bool), jnp.zeros(scene.bodies, bool)),
            memory={},
            steps=jnp.int32(0),
            key=episode_key,
        )
        return self.task.begin(world, task_key)

    def _obstacles(self, world: World) -> jax.Array:
        found = [world.objects[kind.name] for kind in self.task.kinds if kind.solid == "fixed"]
        return jnp.concatenate([jnp.zeros((0, 2), world.robot.position.dtype), *found])

    def _info(self, components: Mapping[str, jax.Array], truncation: jax.Array) -> dict[str, Any]:
        return {
            "cost": select_costs(dict(components), self.constraints),
            "cost_components": dict(components),
            "truncation": truncation,
        }


def _substeps(control_step: float | None, timestep: float, usual: int) -> tuple[int, int]:
    """How many physics steps make up a control step, and how many substeps each of them has, at most `usual`.

    Raises ValueError unless the control step is a multiple of `timestep` (s).
    """
    total = usual if control_step is None else round(control_step / timestep)
    if control_step is not None and (total < 1 or abs(total * timestep - control_step) > 1e-9):
        raise ValueError(f"control_step is {control_step} s: it must be a multiple of this robot's {timestep} s")
    repeats = next(count for count in range(-(-total // usual), total + 1) if total % count == 0)
    return repeats, total // repeats
