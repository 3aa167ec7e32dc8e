"""The navigation tasks, by Safety-Gymnasium's names.

- `base`: `Task`, which every task extends, and what rewards and costs are computed with.
- `goal`, `button`, `push`, `circle`, `run`: one task each, with its levels.
"""

from envs.navigation.tasks import button, circle, goal, push, run
from envs.navigation.tasks.base import Task

_LEVELS = {"Goal": goal.level, "Button": button.level, "Circle": circle.level, "Push": push.level, "Run": run.level}
NAMES = tuple(f"{name}{level}" for name in _LEVELS for level in range(1 if name == "Run" else 3))


def task(name: str) -> Task:
    """The task called `name`, such as "Button1"."""
    return _LEVELS[name[:-1]](int(name[-1]))


__all__ = ["NAMES", "Task", "task"]
