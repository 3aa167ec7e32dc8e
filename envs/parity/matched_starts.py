"""States of a port at which episodes of the original environment begin: the same layout, goal and heading.

Notation: E episodes, N environments.
"""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from envs.base import State
from envs.navigation.env import NavigationEnv
from envs.navigation.world import World
from envs.parity.recording import Recording, worlds
from envs.safety_gymnasium.env import SafetyGymnasiumEnv
from envs.vector import CompiledVectorEnv


def starts(env: NavigationEnv, genuine: SafetyGymnasiumEnv, seeds: Sequence[int]) -> World:
    """Where the episodes of `genuine` with `seeds` `[E]` begin, as worlds of `env`, leading axis `[E]`.

    What follows is drawn by the port itself: goals after the first one are not the same.
    """
    rows, layouts = [], []
    for seed in seeds:
        genuine.reset(seed)
        rows.append(_row(env, genuine.task))
        layouts.append(_layout(genuine.task))
    # A recording has the state before and after each step; here nothing steps.
    arrays = {name: np.repeat(np.stack([row[name] for row in rows])[:, None], 2, axis=1) for name in rows[0]}
    meta = {"joint_names": _joints(genuine.task.model)}
    return worlds(Recording(env.robot.name, arrays, meta, layouts), env, after=False)


class PlacedVectorEnv(CompiledVectorEnv):
    """N copies of `env` whose first episodes begin at `world`, leading axis `[N]`."""

    def __init__(self, env: NavigationEnv, world: World) -> None:
        super().__init__(env, len(world.steps))
        self._observe, self._world = env.observe, world

    def reset(self, key: jax.Array) -> State:
        """Return the states of those N episodes; `key` decides what is drawn in them."""
        state = super().reset(key)
        world = self._world.replace(key=state.pipeline_state.key)
        return state.replace(pipeline_state=world, obs=jax.vmap(self._observe)(world))


def _row(env: NavigationEnv, task: Any) -> dict[str, np.ndarray]:
    """What a recording holds of the present state of an original `task`."""
    row = {"qpos": task.data.qpos.copy(), "qvel": task.data.qvel.copy()}
    for kind in env.task.kinds:
        if kind.name == "goal":
            row["goal_pos"] = np.array(task.goal.pos)
        elif hasattr(task, kind.name) and kind.solid != "movable":
            row[f"pos_{kind.name}"] = np.array(getattr(task, kind.name).pos, float).reshape(kind.count, -1)
    if env.task.has("buttons"):
        row |= {"goal_button": np.array(task.buttons.goal_button), "timer": np.array(task.buttons.timer)}
    return row


def _layout(task: Any) -> dict[str, Any]:
    return {"agent": task.world_info.layout["agent"], "_agent_rot": task.world_info.world_config_dict["agent_rot"]}


def _joints(model: Any) -> list[tuple[str, int, int, int]]:
    """The name, the addresses of position and velocity, and the type of each joint."""
    joints = (model.joint(index) for index in range(model.njnt))
    return [(joint.name, int(joint.qposadr[0]), int(joint.dofadr[0]), int(joint.type[0])) for joint in joints]
