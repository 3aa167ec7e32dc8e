"""The planar world's physics: a robot, fixed obstacles and movable bodies under MuJoCo's soft contacts.

In reading order:

- `scene`, `bodies`, `robot`: what can be in a world. `engine`: one env step of it.
- `broad_phase`: what the robot may touch within a step. `constraint`: the contacts there are, as a problem to solve.
- `collision`, `collision_boxes`, `separating_axes`, `clipping`: contacts of pairs of shapes. `contact`: their softness.
- `constraint_rows`, `newton`, `newton_triton`: the problem and its solution.
- `linalg`, `quaternion`: small vectors, matrices and rotations.
"""

from envs.physics.bodies import Bodies, BodyKind, at_rest, cube, push_box
from envs.physics.broad_phase import Surroundings, in_reach
from envs.physics.engine import Step, Touch, make_step
from envs.physics.robot import RobotModel
from envs.physics.scene import Scene

__all__ = [
    "Bodies",
    "BodyKind",
    "RobotModel",
    "Scene",
    "Step",
    "Surroundings",
    "Touch",
    "at_rest",
    "cube",
    "in_reach",
    "make_step",
    "push_box",
]
