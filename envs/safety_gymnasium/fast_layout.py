"""Safety-Gymnasium's rejection sampling of layouts, with the same draws and comparisons, faster.

Drawing a scalar from a RandomState costs a microsecond, and crowded tasks need ten thousand of them per reset. Numbers
are drawn in blocks instead, and the generator is left as if it had drawn only those that were used.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

_TRIES = 100  # for each object, as in the package
_SINGLE_TRIES = 4  # one by one, before all others are checked together
_BLOCK = 2048
_ATTEMPTS = 10_000

Near = Sequence[tuple[float, float, float]]
"""Where objects stand already (x, y), and how far from each the next one must be (m)."""
Area = tuple[float, float, float, float]


class Draws:
    """Uniform numbers in [0, 1) from `state`; call `settle` before anything else draws from it."""

    def __init__(self, state: np.random.RandomState) -> None:
        self._state = state
        self._before: Any = None
        self._block = np.zeros(0)
        self._used = 0

    def take(self, count: int) -> np.ndarray:
        """The next `count` numbers."""
        if self._used + count > len(self._block):
            self.settle()
            self._before = self._state.get_state(legacy=False)
            self._block = self._state.random_sample(_BLOCK)
        self._used += count
        return self._block[self._used - count : self._used]

    def give_back(self, count: int) -> None:
        """Return the last `count` numbers, to be taken again next time."""
        self._used -= count

    def settle(self) -> None:
        """Leave the generator as if only the numbers taken had been drawn."""
        if self._used < len(self._block):
            self._state.set_state(self._before)
            self._state.random_sample(self._used)
        self._block, self._used = np.zeros(0), 0


def build_layout(generator: Any) -> dict[str, np.ndarray]:
    """The layout (name -> xy) of the first attempt in which every object finds a place, as the original's."""
    from safety_gymnasium.utils.common_utils import ResamplingError

    draws = Draws(generator.random_generator)
    for _ in range(_ATTEMPTS):
        layout = _sample_layout(generator, draws)
        if layout:
            draws.settle()
            generator.layout = layout
            return layout
    raise ResamplingError("Failed to sample layout of objects")


def _sample_layout(generator: Any, draws: Draws) -> dict[str, np.ndarray]:
    """One attempt at a layout, which is empty if an object finds no place in 100 tries."""
    taken: list[tuple[float, float, float]] = []
    layout = {}
    for name, (areas, keepout) in generator.placements.items():
        near = [(x, y, clearance + keepout) for x, y, clearance in taken]
        if areas is not None and len(areas) > 1:
            draws.settle()
            place = _place_in_areas(generator, areas, keepout, near)
        else:
            area = generator.constrain_placement(generator.placements_extents if areas is None else areas[0], keepout)
            place = _place(draws, area, near)
        if place is None:
            return {}
        layout[name] = np.array(place)
        taken.append((*place, keepout + generator.placements_margin))
    return layout


def _place(draws: Draws, area: Area, near: Near) -> tuple[float, float] | None:
    """A free place in a rectangle (xmin, ymin, xmax, ymax); None if there is none within the tries."""
    x_low, y_low, x_range, y_range = area[0], area[1], area[2] - area[0], area[3] - area[1]
    for _ in range(_SINGLE_TRIES):
        u, v = draws.take(2).tolist()
        x, y = x_low + x_range * u, y_low + y_range * v
        if _is_free(x, y, near):
            return x, y
    count = _TRIES - _SINGLE_TRIES
    places = np.array((x_low, y_low)) + np.array((x_range, y_range)) * draws.take(2 * count).reshape(count, 2)
    others = np.array(near)
    offsets = places[:, None] - others[:, :2]
    squares = offsets * offsets
    free = ~(np.sqrt(squares[..., 0] + squares[..., 1]) < others[:, 2]).any(1)
    first = int(free.argmax())
    if not free[first]:
        return None
    draws.give_back(2 * (count - 1 - first))
    return float(places[first, 0]), float(places[first, 1])


def _place_in_areas(generator: Any, areas: Any, keepout: float, near: Near) -> tuple[float, float] | None:
    """A free place in one of several rectangles; None if there is none within the tries."""
    for _ in range(_TRIES):
        x, y = generator.draw_placement(areas, keepout).tolist()
        if _is_free(x, y, near):
            return x, y
    return None


def _is_free(x: float, y: float, near: Near) -> bool:
    for u, v, distance in near:
        right, up = x - u, y - v
        if math.sqrt(right * right + up * up) < distance:
            return False
    return True
