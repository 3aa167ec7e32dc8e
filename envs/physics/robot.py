"""A robot as data: rigid parts, the shapes on them, and how its degrees of freedom move them.

n degrees of freedom, p parts, s shapes. The n velocities are components in the robot's own frame, in which the mass
matrix is constant; positions of parts are relative to the robot's origin, in world axes, which keeps single precision
exact.
"""

import abc
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


@dataclass(frozen=True, eq=False)
class RobotModel(abc.ABC):
    """What the engine has to know of a robot: its measures as fields, its motion as methods of a `state`."""

    mass: np.ndarray  # [n, n] in the robot's own frame
    damping: np.ndarray  # [n]
    linear: np.ndarray  # [p, 3, n] velocities of the parts' origins, in the robot's own frame
    angular: np.ndarray  # [p, 3, n] their angular velocities
    centers: np.ndarray  # [p, 3] m, the parts' centers of mass from their origins
    spheres: Shapes
    boxes: Shapes
    wheels: Shapes | None  # that roll on the floor, one a part
    timestep: float  # s
    outline: tuple[tuple[float, float, float], ...]  # circles (x, y, radius) in m that cover it, seen from above
    spin: int  # which of the velocities is the yaw rate
    iterations: int  # Newton steps that solve its contacts with the floor and with obstacles

    @abc.abstractmethod
    def origin(self, state: Any) -> jax.Array:
        """Its place in the world, `[3]` m."""

    @abc.abstractmethod
    def frames(self, state: Any) -> Frames:
        """Where its parts are."""

    @abc.abstractmethod
    def velocity(self, state: Any) -> jax.Array:
        """Its degrees of freedom's velocities `[n]`."""

    @abc.abstractmethod
    def forces(self, state: Any, action: jax.Array) -> jax.Array:
        """The forces `[n]` under `action` `[A]`, damping and velocity products included."""

    @abc.abstractmethod
    def advance(self, state: Any, change: jax.Array) -> Any:
        """The state a timestep after its velocities changed by `change` `[n]`."""

    @abc.abstractmethod
    def sense(self, state: Any, acceleration: jax.Array) -> Any:
        """The state with what its sensors need of the `acceleration` `[n]`."""

    def coast(self, state: Any, action: jax.Array, substeps: int) -> Any:
        """The state `substeps` later, touching nothing; for robots without wheels."""
        raise NotImplementedError

    @cached_property
    def inverse_weights(self) -> np.ndarray:
        """Mean inverse masses `[p]` (1/kg) of the parts at their centers of mass: they scale contacts' softness."""
        swung = np.swapaxes(np.cross(np.swapaxes(self.angular, 1, 2), self.centers[:, None]), 1, 2)
        jacobian = self.linear + swung
        inverse = np.linalg.inv(self.mass)
        return np.trace(jacobian @ inverse @ np.swapaxes(jacobian, 1, 2), axis1=1, axis2=2) / 3

    @cached_property
    def euler(self) -> np.ndarray:
        """`[n, n]`: what Euler's step with implicit damping makes of an acceleration, (M + hD)^-1 M."""
        return np.linalg.solve(self.mass + self.timestep * np.diag(self.damping), self.mass)
