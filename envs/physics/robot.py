"""A robot as data: rigid parts, the shapes on them, and how its degrees of freedom move them.

n degrees of freedom, p parts, s shapes. The n velocities are components in the robot's own frame, in which the mass
matrix is constant; positions of parts are relative to the robot's origin, in world axes, which keeps single precision
exact.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import numpy as np

ROUGH = (1.0, 1.0, 0.005, 0.0001, 0.0001)  # sliding twice, torsion, rolling twice


class Frames(NamedTuple):
    """Where the parts are and how the degrees of freedom move them."""

    origin: jax.Array  # [p, 3] m
    axes: jax.Array  # [p, 3, 3] rows: the part's axes in the world
    linear: jax.Array  # [p, 3, n] velocity of the part's origin
    angular: jax.Array  # [p, 3, n] angular velocity of the part


@dataclass(frozen=True)
class Shape:
    """A sphere (radius), box (half extents) or wheel (radius, half width, along its part's x axis) on a part."""

    part: int
    offset: tuple[float, float, float]
    size: tuple[float, ...]
    friction: tuple[float, ...] = ROUGH


class Shapes(NamedTuple):
    """Shapes of one sort, as arrays."""

    part: np.ndarray  # int [s]
    offset: np.ndarray  # [s, 3]
    size: np.ndarray  # [s, d]
    friction: np.ndarray  # [s, 5]


def shapes(*rows: Shape) -> Shapes:
    """`rows` as arrays."""
    return Shapes(
        np.array([row.part for row in rows], int),
        np.array([row.offset for row in rows]),
        np.array([row.size for row in rows]),
        np.array([row.friction for row in rows]),
    )


def inverse_weights(mass: np.ndarray, linear: np.ndarray, angular: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Mean inverse masses `[p]` (1/kg) of the parts at their centres of mass, which scale the softness of contacts.

    `mass` `[n, n]`; `linear`, `angular` `[p, 3, n]` are the parts' velocities and `centres` `[p, 3]` the centres of
    mass from the parts' origins, all in the robot's own frame.
    """
    swung = np.swapaxes(np.cross(np.swapaxes(angular, 1, 2), centres[:, None]), 1, 2)
    jacobian = linear + swung
    return np.trace(jacobian @ np.linalg.inv(mass) @ np.swapaxes(jacobian, 1, 2), axis1=1, axis2=2) / 3


@dataclass(frozen=True, eq=False)
class RobotModel:
    """What the engine has to know of a robot."""

    mass: np.ndarray  # [n, n] in the robot's own frame
    damping: np.ndarray  # [n]
    inverse_weights: np.ndarray  # [p] 1/kg, see `inverse_weights`
    spheres: Shapes
    boxes: Shapes
    wheels: Shapes | None  # that roll on the floor, one a part
    timestep: float  # s
    outline: tuple[tuple[float, float, float], ...]  # circles (x, y, radius) in m that cover it, seen from above
    spin: int  # which of the velocities is the yaw rate
    iterations: int  # Newton steps that solve its contacts with the floor and with obstacles
    origin: Callable[[Any], jax.Array]  # state -> [3] m in the world
    frames: Callable[[Any], Frames]
    velocity: Callable[[Any], jax.Array]  # state -> [n]
    forces: Callable[[Any, jax.Array], jax.Array]  # state, action -> [n], damping and velocity products included
    advance: Callable[[Any, jax.Array], Any]  # state, change of the velocities [n] -> state a timestep later
    sense: Callable[[Any, jax.Array], Any]  # state, acceleration [n] -> state with what sensors need of it
    coast: Callable[[Any, jax.Array, int], Any] | None
    """state, action, number of substeps -> state after them, touching nothing; None: has wheels"""

    @cached_property
    def euler(self) -> np.ndarray:
        """`[n, n]`: what Euler's step with implicit damping makes of an acceleration, (M + hD)^-1 M."""
        return np.linalg.solve(self.mass + self.timestep * np.diag(self.damping), self.mass)
