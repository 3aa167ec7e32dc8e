"""Where things are in MuJoCo's arrays, searched by name once per world instead of at every access."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


class Lookups:
    """Views of the arrays of one world, which show its present state. They are read-only unless stated otherwise."""

    def __init__(self, model: Any, data: Any) -> None:
        self.model, self.data = model, data
        self._views: dict[tuple[str, str], np.ndarray] = {}
        self._rows: dict[str, np.ndarray] = {}
        self._agent: list[bool] = []

    def position(self, body: str) -> np.ndarray:
        """The position of a body, `[3]` m."""
        return self._view("position", body, lambda: self.data.body(body).xpos)

    def positions(self, bodies: str, count: int) -> np.ndarray:
        """A copy of the positions of the bodies `bodies.format(0)` to `bodies.format(count - 1)`, `[count, 3]` m."""
        rows = self._rows.get(bodies)
        if rows is None:
            rows = self._rows[bodies] = np.array([self.model.body(bodies.format(i)).id for i in range(count)], int)
        return self.data.xpos[rows]

    def rotation(self, body: str) -> np.ndarray:
        """A body's rotation matrix, `[3, 3]`."""
        return self._view("rotation", body, lambda: self.data.body(body).xmat.reshape(3, 3))

    def sensor(self, name: str) -> np.ndarray:
        """The reading of a sensor, of its own size."""
        return self._view("sensor", name, lambda: self.data.sensor(name).data)

    def mocap(self, body: str) -> np.ndarray:
        """The place of a mocap body, `[3]` m, which may be written to."""
        return self._view("mocap", body, lambda: self.data.mocap_pos[self.model.body(body).mocapid[0]])

    def touching(self, agent: Sequence[str]) -> list[tuple[str, str]]:
        """The names of both geoms of each contact that involves a geom of `agent`."""
        if not self.data.ncon:
            return []
        if not self._agent:
            self._agent = [self.model.geom(index).name in agent for index in range(self.model.ngeom)]
        pairs = self.data.contact.geom.tolist()
        return [
            (self.model.geom(first).name, self.model.geom(second).name)
            for first, second in pairs
            if self._agent[first] or self._agent[second]
        ]

    def _view(self, kind: str, name: str, find: Callable[[], np.ndarray]) -> np.ndarray:
        view = self._views.get((kind, name))
        if view is None:
            view = self._views[kind, name] = find()
        return view


def lookups(engine: Any) -> Lookups:
    """The lookups of the world that a Safety-Gymnasium `engine` runs now; a reset gives it another world."""
    kept: Lookups | None = engine.__dict__.get("lookups")
    if kept is None or kept.data is not engine.data:
        kept = engine.lookups = Lookups(engine.model, engine.data)
    return kept
