"""Contact as mere overlap, seen from above: what touches is known, but nothing is pushed.

The robot coasts through obstacles and bodies; welded bodies follow their targets and others stay where they are. It has
the interface of `engine.make_step`, compiles in seconds and steps ten times faster. Use it to train where touching
matters more than what it moves; the engine is the reference.

o obstacles, m bodies, s spheres and b boxes of the robot.
"""

import jax
import jax.numpy as jnp

from envs.geometry import rotate
from envs.physics.bodies import Bodies
from envs.physics.engine import SUBSTEPS, Step, Touch, carried
from envs.physics.robot import RobotModel
from envs.physics.rotation import matrix
from envs.physics.scene import Scene


def make_overlap_step(robot: RobotModel, scene: Scene, substeps: int = SUBSTEPS) -> Step:
    """The step of one environment, as `engine.make_step` makes it; ValueError for a robot that drives by contact."""
    coast = robot.coast
    if coast is None:
        raise ValueError('contacts is "overlap": this robot drives by its contact with the floor; use "exact"')

    def step(
        state: jax.Array, bodies: Bodies, obstacles: jax.Array, action: jax.Array, time: jax.Array
    ) -> tuple[jax.Array, Bodies, Touch]:
        state = coast(state, action, substeps)
        if scene.body is not None and scene.body.welded:
            bodies = jax.vmap(lambda body: carried(scene, body, time, robot.timestep, substeps))(bodies)
        origin, axes = robot.origin(state)[:2], robot.frames(state).axes[0]
        heading = jnp.arctan2(axes[0, 1], axes[0, 0])
        square = _touch_squares(scene, robot, origin, heading, bodies) if scene.body else jnp.zeros(0, bool)
        return state, bodies, Touch(_touch_circles(robot, origin, heading, obstacles, scene.obstacle_radius), square)

    return step


def _centres(offset: jax.Array, origin: jax.Array, heading: jax.Array) -> jax.Array:
    """Centres `[s, 1, 2]` in the world of shapes at `offset` `[s, 3]` on the robot."""
    return (origin + rotate(offset[:, :2], jnp.broadcast_to(heading, offset.shape[:1])))[:, None]


def _touch_circles(
    robot: RobotModel, origin: jax.Array, heading: jax.Array, centres: jax.Array, radius: float
) -> jax.Array:
    """Which circles `[o]` about `centres` `[o, 2]` the robot overlaps."""
    spheres, boxes = robot.spheres, robot.boxes
    round_gap = jnp.linalg.norm(_centres(jnp.asarray(spheres.offset), origin, heading) - centres, axis=-1)
    by_sphere = round_gap <= spheres.size[:, :1] + radius
    local = rotate(centres - _centres(jnp.asarray(boxes.offset), origin, heading), -heading)
    by_box = _outside(local, jnp.asarray(boxes.size[:, None, :2])) <= radius
    return jnp.any(jnp.concatenate([by_sphere, by_box]), axis=0)


def _touch_squares(scene: Scene, robot: RobotModel, origin: jax.Array, heading: jax.Array, bodies: Bodies) -> jax.Array:
    """Which bodies `[m]` the robot overlaps, each taken as the box that holds it."""
    assert scene.body is not None
    half = jnp.asarray(scene.body.extent[:2])
    forward = jax.vmap(matrix)(bodies.rotation)[:, :, 0]
    yaw = jnp.arctan2(forward[:, 1], forward[:, 0])
    places = bodies.position[:, :2]
    local = rotate(_centres(jnp.asarray(robot.spheres.offset), origin, heading) - places, -yaw)
    by_sphere = _outside(local, half) <= robot.spheres.size[:, :1]
    centres, size = (
        _centres(jnp.asarray(robot.boxes.offset), origin, heading),
        jnp.asarray(robot.boxes.size[:, None, :2]),
    )
    # Two rectangles overlap unless a side of one separates them (separating axes).
    of_robot = _beyond(rotate(places - centres, -heading), yaw - heading, size, half)
    of_body = _beyond(rotate(centres - places, -yaw), heading - yaw, half, size)
    return jnp.any(jnp.concatenate([by_sphere, ~(of_robot | of_body)]), axis=0)


def _outside(local: jax.Array, half: jax.Array) -> jax.Array:
    """Distance `[...]` of points `[..., 2]` from an upright rectangle of half extents `[..., 2]`; 0 inside."""
    return jnp.linalg.norm(jnp.maximum(jnp.abs(local) - half, 0.0), axis=-1)


def _beyond(offset: jax.Array, angle: jax.Array, half: jax.Array, other: jax.Array) -> jax.Array:
    """Whether a side of an upright rectangle separates it from one at `offset` `[..., 2]` turned by `angle` `[...]`."""
    cos, sin = jnp.abs(jnp.cos(angle)), jnp.abs(jnp.sin(angle))
    extent = jnp.stack([cos * other[..., 0] + sin * other[..., 1], sin * other[..., 0] + cos * other[..., 1]], axis=-1)
    return jnp.any(jnp.abs(offset) > half + extent, axis=-1)
