"""The planar world's physics: a robot, static obstacles and movable bodies under MuJoCo's soft contacts."""

from envs.physics.bodies import Bodies, BodyKind, at_rest, gremlin, push_box, vase
from envs.physics.engine import Step, Touch, in_reach, make_step
from envs.physics.robot import RobotModel
from envs.physics.scene import Scene

__all__ = [
    "Bodies",
    "BodyKind",
    "RobotModel",
    "Scene",
    "Step",
    "Touch",
    "at_rest",
    "gremlin",
    "in_reach",
    "make_step",
    "push_box",
    "vase",
]
