"""What stands in a task's world besides the robot, as far as it can be touched; fixed per task."""

from dataclasses import dataclass
from typing import Literal

from envs.physics.bodies import BodyKind


@dataclass(frozen=True)
class Scene:
    """At most one kind of obstacle and one of movable body, with their numbers."""

    obstacle_shape: Literal["sphere", "cylinder"] = "sphere"
    obstacle_radius: float = 0.1  # m; a sphere's center is as high
    obstacles: int = 0
    body: BodyKind | None = None
    bodies: int = 0

    @property
    def contact_slots(self) -> int:
        """How many contacts a robot can have with one body."""
        return 6 if self.body is None or len(self.body.halves) == 1 else 16

    @property
    def iterations(self) -> int:
        """Newton steps that the bodies' contacts need: those with the floor come and go, and in large numbers."""
        return 4 if self.body is None or self.body.welded else 8

    @property
    def touchable(self) -> int:
        """How many bodies a robot can touch at once: welded ones keep too far apart from each other for two."""
        return min(self.bodies, 1 if self.body is None or self.body.welded else 2)
