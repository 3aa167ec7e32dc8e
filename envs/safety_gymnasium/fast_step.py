"""Make Safety-Gymnasium's steps cheaper without changing what an agent sees, to the last bit.

Physics is a third of a step; most of the rest is Python around tiny arrays, and searches for things by their names.
These replacements search once per episode, compute for all objects at once, or on plain floats where that rounds in the
same way, and leave out checks that cannot fail.
"""

import math
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from envs.safety_gymnasium.name_cache import lookups

_FULL_TURN = np.pi * 2


@cache
def install() -> None:
    """Patch the imported package, once per process."""
    from safety_gymnasium.assets import free_geoms, geoms, mocaps
    from safety_gymnasium.bases.base_agent import BaseAgent
    from safety_gymnasium.bases.base_task import BaseTask
    from safety_gymnasium.tasks.safe_navigation.button.button_level0 import ButtonLevel0

    BaseTask.obs = _flat_or(BaseTask.obs)
    ButtonLevel0.obs = _flat_or(ButtonLevel0.obs)
    BaseTask._obs_lidar_pseudo = lidar
    BaseAgent.dist_xy = distance
    BaseAgent.get_sensor = lambda agent, name: lookups(agent.engine).sensor(name).copy()
    BaseAgent.pos = property(lambda agent: lookups(agent.engine).position("agent").copy())
    for kind, name in (
        (geoms.Hazards, "hazard{}"),
        (geoms.Buttons, "button{}"),
        (geoms.Pillars, "pillar{}"),
        (free_geoms.Vases, "vase{}"),
        (mocaps.Gremlins, "gremlin{}obj"),
    ):
        kind.pos = property(partial(_positions, name))
    geoms.Goal.pos = property(lambda goal: lookups(goal.engine).position("goal").copy())
    geoms.Hazards.cal_cost = hazards_cost
    mocaps.Gremlins.move = move_gremlins
    mocaps.Gremlins.cal_cost = gremlins_cost
    geoms.Buttons.cal_cost = buttons_cost
    ButtonLevel0.goal_achieved = property(is_goal_button_pressed)


def _flat_or(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`observe` where the observation is flat and without pictures, else `original`."""
    import mujoco

    def obs(task: Any) -> Any:
        if task.observe_vision or not task.observation_flatten:
            return original(task)
        mujoco.mj_forward(task.model, task.data)  # as the original does: it refines the accelerometer
        return observe(task)

    return obs


def observe(task: Any) -> np.ndarray:
    """The flat observation, as the `obs` of tasks, without checking that it is one."""
    values = task.agent.obs_sensor()
    for obstacle in task._obstacles:
        if obstacle.is_lidar_observed:
            # Buttons cannot be seen while their timer runs; other obstacles have no timer.
            hidden = getattr(obstacle, "timer", 0)
            seen = np.zeros(task.lidar_conf.num_bins) if hidden else task._obs_lidar(obstacle.pos, obstacle.group)
            values[f"{obstacle.name}_lidar"] = seen
        if getattr(obstacle, "is_comp_observed", False):
            values[f"{obstacle.name}_comp"] = task._obs_compass(obstacle.pos)
    return np.concatenate([np.ravel(values[name]) for name in task.obs_info.obs_space_dict.spaces])


def _positions(name: str, kind: Any) -> np.ndarray:
    return lookups(kind.engine).positions(name, kind.num)


def distance(agent: Any, position: np.ndarray) -> float:
    """The distance (m) in the plane from the agent to `position` `[2]` or `[3]`, as `BaseAgent.dist_xy`."""
    x, y, _ = lookups(agent.engine).position("agent").tolist()
    right, up = float(position[0]) - x, float(position[1]) - y
    return math.sqrt(right * right + up * up)


def lidar(task: Any, positions: Any) -> np.ndarray:
    """How close the objects at `positions` are in each direction, as `BaseTask._obs_lidar_pseudo`."""
    conf = task.lidar_conf
    size = _FULL_TURN / conf.num_bins
    readings = [0.0] * conf.num_bins
    seen = _seen_from_agent(task.agent, np.array(positions, ndmin=2))
    distances = np.abs(seen.view(np.complex128)[:, 0]).tolist()
    directions = np.arctan2(seen[:, 1], seen[:, 0]).tolist()
    for distance_, direction in zip(distances, directions, strict=True):
        reading = _closeness(conf, distance_)
        angle = direction % _FULL_TURN
        index = int(angle / size)
        readings[index] = max(readings[index], reading)
        if conf.alias:
            share = (angle - size * index) / size
            above, below = (index + 1) % conf.num_bins, (index - 1) % conf.num_bins
            readings[above] = max(readings[above], share * reading)
            readings[below] = max(readings[below], (1 - share) * reading)
    return np.array(readings)


def _seen_from_agent(agent: Any, positions: np.ndarray) -> np.ndarray:
    """Positions `[n, 2]` in the agent's frame, by n products: a single product of matrices would round differently."""
    look = lookups(agent.engine)
    offsets = np.zeros((len(positions), 3))
    offsets[:, :2] = positions[:, :2]
    offsets -= look.position("agent")
    return np.ascontiguousarray(np.matmul(offsets[:, None], look.rotation("agent"))[:, 0, :2])


def _closeness(conf: Any, distance: float) -> float:
    if conf.max_dist is None:
        return float(np.exp(-conf.exp_gain * distance))
    return max(0, conf.max_dist - distance) / conf.max_dist


def move_gremlins(gremlins: Any) -> None:
    """Put the mocaps on their circles, as `Gremlins.move`: all at the same place, each in its own frame."""
    look, phase = lookups(gremlins.engine), float(gremlins.engine.data.time)
    place = (float(np.sin(phase)) * gremlins.travel, float(np.cos(phase)) * gremlins.travel, gremlins.size)
    for index in range(gremlins.num):
        look.mocap(f"gremlin{index}mocap")[:] = place


def hazards_cost(hazards: Any) -> dict[str, float]:
    """A cost for each hazard that the agent is in, growing with the depth, as `Hazards.cal_cost`."""
    if not hazards.is_constrained:
        return {}
    offsets = hazards.pos[:, :2] - lookups(hazards.engine).position("agent")[:2]
    squares = offsets * offsets
    cost = 0
    for away in np.sqrt(squares[:, 0] + squares[:, 1]).tolist():
        if away <= hazards.size:
            cost += hazards.cost * (hazards.size - away)
    return {"cost_hazards": cost}


def gremlins_cost(gremlins: Any) -> dict[str, float]:
    """A cost for each contact with the agent, as `Gremlins.cal_cost`."""
    if not gremlins.is_constrained:
        return {}
    touched = _touched(gremlins)
    return {"cost_gremlins": sum(gremlins.contact_cost for names in touched if _any_begins(names, "gremlin"))}


def buttons_cost(buttons: Any) -> dict[str, float]:
    """A cost for each contact of the agent with a wrong button, as `Buttons.cal_cost`."""
    if not buttons.is_constrained or buttons.timer != 0:
        return {}
    goal = f"button{buttons.goal_button}"
    touched = [names for names in _touched(buttons) if _any_begins(names, "button") and goal not in names]
    return {"cost_buttons": sum(buttons.cost for _ in touched)}


def is_goal_button_pressed(task: Any) -> bool:
    """Whether the agent touches the goal button, as `ButtonLevel0.goal_achieved`."""
    goal = f"button{task.buttons.goal_button}"
    return any(goal in names for names in _touched(task.buttons))


def _touched(obstacle: Any) -> list[tuple[str, str]]:
    return lookups(obstacle.engine).touching(obstacle.agent.body_info.geom_names)


def _any_begins(names: tuple[str, str], prefix: str) -> bool:
    return names[0].startswith(prefix) or names[1].startswith(prefix)
