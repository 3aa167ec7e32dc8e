"""What stands in a task's world besides the robot, as far as it can be touched; fixed per task."""

from dataclasses import dataclass
from typing import Literal

from envs.physics.bodies import BodyKind

BUTTON_RADIUS = 0.1
PILLAR_RADIUS = 0.2


@dataclass(frozen=True)
class Scene:
    """At most one sort of obstacle and one of movable body, with their numbers."""

    obstacle: Literal["button", "pillar"] = "button"
    obstacles: int = 0
    body: BodyKind | None = None
    bodies: int = 0

    @property
    def obstacle_radius(self) -> float:
        """Radius (m)."""
        return BUTTON_RADIUS if self.obstacle == "button" else PILLAR_RADIUS

    @property
    def touch_slots(self) -> int:
        """Contacts that a robot can have with one body."""
        return 6 if self.body is None or len(self.body.halves) == 1 else 16

    @property
    def iterations(self) -> int:
        """Newton steps that its bodies' contacts need: those with the floor come and go, also in large numbers."""
        return 4 if self.body is None or self.body.welded else 8

    @property
    def together(self) -> int:
        """Bodies that a robot can touch at once: gremlins keep too far apart from each other for two."""
        return min(self.bodies, 1 if self.body is None or self.body.welded else 2)
