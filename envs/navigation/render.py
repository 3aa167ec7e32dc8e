"""Pictures of navigation episodes from above: a PNG of the whole way, or a GIF of the course. Needs no display.

Notation: T states of one episode, in order; F frames of H by W pixels.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import numpy as np

from envs.base import State
from envs.navigation import looks, picture_files
from envs.navigation.canvas import Canvas, Color
from envs.navigation.env import NavigationEnv
from envs.navigation.lidar import BINS
from envs.navigation.world import ObjectKind, World

_PAPER: Color = (250, 249, 246, 255)
_GRID: Color = (228, 226, 220, 255)
_INK: Color = (40, 40, 40, 255)
_RED: Color = (214, 40, 40, 255)
_BODY: Color = (188, 44, 60, 255)
_ARROW: Color = (24, 60, 130, 255)
_WALL: Color = (235, 190, 40, 110)


def frames(env: NavigationEnv, states: State | Sequence[State], *, size: int = 480, every: int = 1) -> np.ndarray:
    """Every `every`-th of the T `states` as a picture, uint8 `[F, H, W, 3]`.

    `states` is a sequence of single states or one state whose arrays have a leading axis `[T]`.
    """
    episode = _Episode(env, states)
    return np.stack([episode.frame(index, size) for index in range(0, episode.length, every)])


def moments(env: NavigationEnv, states: State | Sequence[State], *, count: int, size: int) -> np.ndarray:
    """`count` pictures, uint8 `[count, H, W, 3]`: states at equal distances, and last the whole way."""
    episode = _Episode(env, states)
    chosen = np.linspace(0, episode.length - 1, count, dtype=int)[:-1]
    way = episode.frame(episode.length - 1, size, trail=episode.length)
    return np.stack([*(episode.frame(int(index), size) for index in chosen), way])


def picture(env: NavigationEnv, states: State | Sequence[State], *, size: int = 720) -> np.ndarray:
    """The last state with the robot's whole way and a red dot wherever it cost, uint8 `[H, W, 3]`."""
    episode = _Episode(env, states)
    return episode.frame(episode.length - 1, size, trail=episode.length)


def save(
    path: str | Path, env: NavigationEnv, states: State | Sequence[State], *, size: int = 480, every: int = 2
) -> None:
    """Write `states` to `path`: the whole way as .png, its course as .gif or .mp4; raises as `picture_files.write`."""
    if Path(path).suffix == ".png":
        picture_files.write(path, picture(env, states, size=size)[None], 0.0)
    else:
        picture_files.write(path, frames(env, states, size=size, every=every), env.control_step * every)


def _faded(color: Color, alpha: float) -> Color:
    return (*color[:3], round(255 * alpha))


class _Episode:
    """The states of an episode as NumPy arrays, and how each is drawn."""

    def __init__(self, env: NavigationEnv, states: State | Sequence[State]) -> None:
        if not isinstance(states, State):
            states = jax.tree.map(lambda *leaves: np.stack(leaves), *states)
        self._env = env
        self._worlds: World = jax.tree.map(np.asarray, states.pipeline_state)
        self._obs = np.asarray(states.obs)
        self._returns = np.cumsum(np.asarray(states.reward))
        components = [np.asarray(values) for values in states.info["cost_components"].values()]
        self._costs = np.minimum(np.sum(components, axis=0), 1.0) if components else np.zeros(len(self._obs))
        self._way = self._worlds.robot.position
        self.length = len(self._obs)

    def frame(self, index: int, size: int, trail: int = 60) -> np.ndarray:
        """The picture of state `index` with the last `trail` positions."""
        world: World = jax.tree.map(lambda leaf: leaf[index], self._worlds)
        canvas = self._canvas(world, size)
        for kind in self._env.task.kinds:
            _PAINTERS[looks.outline(kind)](canvas, kind, world)
        start = max(0, index + 1 - trail)
        canvas.path(self._way[start : index + 1], _faded(_INK, 0.45), 0.02)
        for position in self._way[start : index + 1][self._costs[start : index + 1] > 0]:
            canvas.disc(position, 0.035, _faded(_RED, 0.5))
        self._robot(canvas, world, self._costs[index] > 0)
        self._lidars(canvas, world, self._obs[index])
        self._words(canvas, world, index)
        return canvas.pixels()

    def _canvas(self, world: World, size: int) -> Canvas:
        half, reach = looks.half(self._env.task), looks.reach(self._env.task)
        center = world.robot.position - np.clip(world.robot.position, -reach, reach)
        canvas = Canvas(size, (float(center[0]), float(center[1])), half, _PAPER)
        canvas.grid(0.5, _GRID)
        for axis, place in looks.walls(self._env.task):
            for side in (-1, 1):
                middle = np.array(center, dtype=float)
                middle[axis] = side * place
                canvas.box(middle, (0.03, 3 * half) if axis == 0 else (3 * half, 0.03), 0.0, _WALL)
        return canvas

    def _robot(self, canvas: Canvas, world: World, costs: bool) -> None:
        position, yaw = world.robot.position, float(world.robot.yaw)
        if costs:
            canvas.disc(position, 0.22, _faded(_RED, 0.35))
            canvas.border(_RED, 4)
        heading = np.array([np.cos(yaw), np.sin(yaw)])
        left = np.array([-heading[1], heading[0]])
        for shape, (ahead, aside), extent in self._env.robot.silhouette:
            center = position + ahead * heading + aside * left
            if shape == "disc":
                canvas.disc(center, extent[0], _BODY, _INK)
            else:
                canvas.box(center, (extent[0], extent[1]), yaw, _ARROW, _INK)

    def _lidars(self, canvas: Canvas, world: World, obs: np.ndarray) -> None:
        for ring, name in enumerate(self._env.task.lidars):
            start = self._env.robot.sensor_size + BINS * ring
            radius = looks.LIDAR_RADIUS + ring * looks.LIDAR_SPACING * looks.LIDAR_WIDTH
            span = 2 * np.pi / BINS
            for bin_index, reading in enumerate(obs[start : start + BINS]):
                if reading > 0:
                    angle = float(world.robot.yaw) + bin_index * span
                    color = _faded(looks.color(name), 0.08 + 0.9 * float(reading))
                    canvas.sector(world.robot.position, radius, looks.LIDAR_WIDTH, angle, 0.9 * span, color)

    def _words(self, canvas: Canvas, world: World, index: int) -> None:
        canvas.text(0, f"step {int(world.steps)}   return {self._returns[index]:.2f}", _INK)
        total = int(self._costs[: index + 1].sum())
        canvas.text(1, f"cost {total}", _RED if self._costs[index] > 0 else _INK)


def _disc(canvas: Canvas, kind: ObjectKind, world: World) -> None:
    color = looks.color(kind.name)
    for center in world.objects[kind.name]:
        canvas.disc(center, kind.size, _faded(color, 0.28), _faded(color, 0.8))


def _solid(canvas: Canvas, kind: ObjectKind, world: World) -> None:
    for center in world.objects[kind.name]:
        canvas.disc(center, kind.size, looks.color(kind.name), _INK)


def _rim(canvas: Canvas, kind: ObjectKind, world: World) -> None:
    for center in world.objects[kind.name]:
        canvas.disc(center, kind.size, _faded(looks.color(kind.name), 0.08))
        canvas.ring(center, kind.size, 0.03, looks.color(kind.name))


def _boxes(canvas: Canvas, kind: ObjectKind, world: World) -> None:
    for center, rotation in zip(world.bodies.position, world.bodies.rotation, strict=True):
        canvas.box(
            center, (kind.size, kind.size), float(looks.yaw(rotation)), _faded(looks.color(kind.name), 0.85), _INK
        )


def _posted_box(canvas: Canvas, kind: ObjectKind, world: World) -> None:
    """Draw a cube with a post over each vertical edge."""
    center, yaw, half = np.asarray(world.bodies.position[0]), float(looks.yaw(world.bodies.rotation[0])), kind.size
    cos, sin = np.cos(yaw), np.sin(yaw)
    for x, y in ((1, 1), (-1, 1), (1, -1), (-1, -1)):
        corner = center[:2] + half * np.array([cos * x - sin * y, sin * x + cos * y])
        canvas.box(corner, (half / 2, half / 2), yaw, looks.color(kind.name), _INK)
    canvas.box(center, (half, half), yaw, looks.color(kind.name), _INK)


def _buttons(canvas: Canvas, kind: ObjectKind, world: World) -> None:
    """Draw buttons gray while the timer runs, when they are invisible to the robot and cost nothing."""
    live = world.memory["timer"] == 0
    for index, center in enumerate(world.objects[kind.name]):
        if index == world.memory["goal_button"]:
            canvas.disc(center, kind.size + 0.03, looks.COLORS["goal"])
        canvas.disc(center, kind.size, looks.color(kind.name) if live else (170, 170, 170, 255), _INK)


_PAINTERS: dict[looks.Outline, Callable[[Canvas, ObjectKind, World], None]] = {
    "disc": _disc,
    "solid": _solid,
    "rim": _rim,
    "box": _boxes,
    "posts": _posted_box,
    "button": _buttons,
}
