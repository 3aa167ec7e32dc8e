"""The interface through which the engine knows a robot: its measures as attributes, its motion as methods of a state.

Notation: n degrees of freedom, p parts, s shapes, A action dimensions. The n velocities are components in the robot's
own frame, in which the mass matrix is constant. Positions of parts are relative to the robot's origin, in world axes,
which keeps single precision exact.
"""

import abc
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import numpy as np

ROUGH = (1.0, 1.0, 0.005, 0.0001, 0.0001)  # friction: sliding twice, torsion, rolling twice


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
    """Shapes of one kind, as arrays."""

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


class RobotModel(abc.ABC):
    """What the engine has to know of a robot."""

    mass: np.ndarray  # [n, n] in the robot's own frame
    damping: np.ndarray  # [n]
    linear: np.ndarray  # [p, 3, n] velocities of the parts' origins, in the robot's own frame
    angular: np.ndarray  # [p, 3, n] angular velocities of the parts
    centers: np.ndarray  # [p, 3] m, the parts' centers of mass from their origins
    spheres: Shapes
    boxes: Shapes
    wheels: Shapes | None  # that roll on the floor, one per part
    timestep: float  # s
    substeps: int  # of `timestep` in an env step, unless the environment has a control step of its own
    covering: tuple[tuple[float, float, float], ...]  # circles (x, y, radius) in m that cover it, seen from above
    yaw_rate_index: int  # among the velocities
    iterations: int  # Newton steps that solve its contacts with the floor and with obstacles

    @abc.abstractmethod
    def origin(self, state: Any) -> jax.Array:
        """The robot's place in the world, `[3]` m."""

    @abc.abstractmethod
    def frames(self, state: Any) -> Frames:
        """Where the robot's parts are."""

    @abc.abstractmethod
    def velocity(self, state: Any) -> jax.Array:
        """The velocities `[n]` of the degrees of freedom."""

    @abc.abstractmethod
    def forces(self, state: Any, action: jax.Array) -> jax.Array:
        """The forces `[n]` under `action` `[A]`, including damping and products of velocities."""

    @abc.abstractmethod
    def advance(self, state: Any, change: jax.Array) -> Any:
        """The state one timestep after the velocities changed by `change` `[n]`."""

    @abc.abstractmethod
    def sense(self, state: Any, acceleration: jax.Array) -> Any:
        """The state with what its sensors need of the `acceleration` `[n]`."""

    def coast(self, state: Any, action: jax.Array, substeps: int) -> Any:
        """The state `substeps` later if nothing is touched; the engine asks only robots without wheels for it."""
        raise NotImplementedError

    @cached_property
    def inverse_weights(self) -> np.ndarray:
        """Mean inverse masses `[p]` (1/kg) of the parts at their centers of mass; they scale how soft contacts are."""
        swung = np.swapaxes(np.cross(np.swapaxes(self.angular, 1, 2), self.centers[:, None]), 1, 2)
        jacobian = self.linear + swung
        inverse = np.linalg.inv(self.mass)
        return np.trace(jacobian @ inverse @ np.swapaxes(jacobian, 1, 2), axis1=1, axis2=2) / 3

    @cached_property
    def euler(self) -> np.ndarray:
        """What an Euler step with implicit damping makes of an acceleration, (M + hD)^-1 M, `[n, n]`."""
        return np.linalg.solve(self.mass + self.timestep * np.diag(self.damping), self.mass)
