"""What moved where in an episode of a navigation task: numbers for JSON, from which a page draws it from above.

Small by design: millimeters and milliradians as whole numbers, objects only where they changed, lidars as a character a
reading. Notation: T states of one episode, in order; n objects of a kind.
"""

from typing import Any

import jax
import numpy as np

from envs.base import State
from envs.navigation import looks
from envs.navigation.env import NavigationEnv
from envs.navigation.lidar import BINS
from envs.navigation.world import ObjectKind, World

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
"""Readings from 0 to 1, in order."""


def tracks(env: NavigationEnv, states: State) -> dict[str, Any]:
    """The scene of an episode whose `states` have a leading axis `[T]`; indices in it count them from 0.

    - `half`, `reach` (m), `walls`: the view, as of `looks`.
    - `robot`: `x`, `y` (mm), `yaw` (mrad), each `[T]`, and `patches`: shape, center and extent (m).
    - `kinds`: of each kind of objects name, color, outline, size (m), `places`: pairs of an index and where they are
      from then on, x, y (mm) and yaw (mrad) of one after the other, and `blank`: `[start, end)` in which they are gray.
    - `lidars`: of each name, color and `readings`, BINS characters of DIGITS a state, counterclockwise from ahead.
    - `rings`: radius of the innermost lidar, its width and the distance to the next one (m).
    """
    worlds: World = jax.tree.map(np.asarray, states.pipeline_state)
    way = worlds.robot.position
    return {
        "half": looks.half(env.task),
        "reach": looks.reach(env.task),
        "walls": looks.walls(env.task),
        "robot": {
            "x": _thousandths(way[:, 0]),
            "y": _thousandths(way[:, 1]),
            "yaw": _thousandths(_wrapped(worlds.robot.yaw)),
            "patches": [[patch.shape, *patch.center, *patch.extent] for patch in env.robot.silhouette],
        },
        "kinds": [_kind(kind, worlds) for kind in env.task.kinds],
        "lidars": _lidars(env, np.asarray(states.obs)),
        "rings": [looks.LIDAR_RADIUS, looks.LIDAR_WIDTH, looks.LIDAR_WIDTH * looks.LIDAR_SPACING],
    }


def intervals(flags: np.ndarray | jax.Array) -> list[list[int]]:
    """Where `flags` `[T]` hold, as `[start, end)`."""
    edges = np.diff(np.concatenate([[0], np.asarray(flags, bool).astype(int), [0]]))
    return np.stack([np.flatnonzero(edges == sign) for sign in (1, -1)], 1).tolist()


def _kind(kind: ObjectKind, worlds: World) -> dict[str, Any]:
    """Where the objects of a kind were; those that move turn, too."""
    places = np.asarray(worlds.objects[kind.name])
    yaws = looks.yaw(worlds.bodies.rotation) if kind.solid == "movable" else np.zeros(places.shape[:2])
    whole = np.rint(1000 * np.concatenate([places, yaws[..., None]], -1)).astype(int).reshape(len(places), -1)
    changed = [0, *(1 + np.flatnonzero((whole[1:] != whole[:-1]).any(1)))]
    hidden = worlds.memory["timer"] > 0 if looks.outline(kind) == "button" else np.zeros(len(places))
    return {
        "name": kind.name,
        "color": _hex(kind.name),
        "outline": looks.outline(kind),
        "size": kind.size,
        "places": [[int(index), whole[index].tolist()] for index in changed],
        "blank": intervals(hidden),
    }


def _lidars(env: NavigationEnv, observations: np.ndarray) -> list[dict[str, str]]:
    """The readings of each lidar, from `observations` `[T, O]`."""
    found = []
    for ring, name in enumerate(env.task.lidars):
        start = env.robot.sensor_size + BINS * ring
        readings = np.clip(observations[:, start : start + BINS], 0, 1)
        # Upwards, so that only a reading of 0 is drawn as nothing.
        levels = np.ceil(readings * (len(DIGITS) - 1)).astype(int)
        found.append(
            {"name": name, "color": _hex(name), "readings": "".join(DIGITS[level] for level in levels.ravel())}
        )
    return found


def _wrapped(angles: np.ndarray) -> np.ndarray:
    """`angles` (rad) between -pi and pi."""
    return np.arctan2(np.sin(angles), np.cos(angles))


def _thousandths(values: np.ndarray) -> list[int]:
    return np.rint(1000 * np.asarray(values)).astype(int).tolist()


def _hex(name: str) -> str:
    return "#" + "".join(f"{part:02x}" for part in looks.color(name)[:3])
