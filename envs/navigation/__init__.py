"""The navigation tasks: a robot, objects and a task on planar physics, and all that a task of one's own needs.

In reading order:

- `world`: what a world holds. `tasks`: what is rewarded and what costs. `robots`: who acts in it.
- `layout`: where everything is placed. `lidar`: how objects are seen. `scene`: what the physics knows of them.
- `env`: all of it as one Brax environment.
- `render`, `canvas`, `looks`: pictures of episodes. `tracks`: the same as numbers, for a page that draws by itself.
"""

from envs.navigation.env import NavigationEnv
from envs.navigation.tasks.base import Task, distance, flag, in_hazard
from envs.navigation.world import ObjectKind, World

__all__ = ["NavigationEnv", "ObjectKind", "Task", "World", "distance", "flag", "in_hazard"]
