"""What touches what in one environment, put together as the solver's problem.

Notation: n degrees of freedom of the robot, k bodies with 6 each, o obstacles, s shapes, g boxes of a body, c contacts.
Positions are relative to the robot's origin. Further axes of all arrays (environments) come behind those named.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from envs.physics import collision
from envs.physics.bodies import Bodies, BodyKind, boxes, quadratic
from envs.physics.collision_boxes import SLOTS, box_box_pairs
from envs.physics.constraint_rows import (
    Rows,
    at_parts,
    at_shares,
    body_rows,
    flat,
    in_slots,
    joined,
    robot_rows,
    rough,
    spread,
    take,
)
from envs.physics.contact import Box, Contacts, compress
from envs.physics.linalg import add_up, aligned, to_world
from envs.physics.robot import ROUGH, Frames, RobotModel, Shapes
from envs.physics.scene import Scene


def _placed(frames: Frames, shapes: Shapes) -> tuple[jax.Array, jax.Array]:
    """The centers `[s, 3]` and axes `[s, 3, 3]` of shapes."""
    axes, origin = take(frames.axes, shapes.part), take(frames.origin, shapes.part)
    offset = aligned(shapes.offset, origin[0], 1)
    return origin + jax.vmap(to_world)(axes, offset), axes


def _robot_boxes(frames: Frames, shapes: Shapes) -> Box:
    center, axes = _placed(frames, shapes)
    return Box(center, axes, aligned(shapes.size, center[0], 1))


def _each(pair: Callable[..., Contacts], first: tuple[Any, ...], second: Any) -> Contacts:
    """`pair` for all combinations of the leading axes of `first` and `second`, as one list, `first` slowest."""
    every = jax.vmap(jax.vmap(pair, (*[None] * len(first), 0)), (*[0] * len(first), None))(*first, second)
    return Contacts(*(flat(leaf, 3) for leaf in every))


def _listed(*groups: Contacts) -> Contacts:
    return Contacts(*(jnp.concatenate(parts) for parts in zip(*groups, strict=True)))


def _wheels(frames: Frames, shapes: Shapes) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The hubs, axes and sizes of the wheels."""
    hubs, axes = _placed(frames, shapes)
    return hubs, axes, jnp.asarray(shapes.size, hubs.dtype)


def _obstacle_contacts(scene: Scene, robot: RobotModel, frames: Frames, obstacles: jax.Array) -> Contacts:
    """One contact of each shape with each obstacle at `obstacles` `[o, 3]`: `[s o]`, spheres first."""
    centers, _ = _placed(frames, robot.spheres)
    radii = jnp.asarray(robot.spheres.size[:, 0], centers.dtype)
    radius = jnp.asarray(scene.obstacle_radius, centers.dtype)

    def beside(obstacle: jax.Array, center: jax.Array) -> jax.Array:
        """The center of what is touched: a cylinder counts as a sphere at the height of whatever touches it."""
        return obstacle if scene.obstacle_shape == "sphere" else jnp.concatenate([obstacle[:2], center[2:]])

    def ball(center: jax.Array, own: jax.Array, obstacle: jax.Array) -> Contacts:
        return collision.sphere_sphere(center, own, beside(obstacle, center), radius)

    def solid(box: Box, obstacle: jax.Array) -> Contacts:
        contacts = collision.sphere_box(beside(obstacle, box.position), radius, box)
        return contacts._replace(normal=-contacts.normal)

    def wheel(hub: jax.Array, axes: jax.Array, size: jax.Array, obstacle: jax.Array) -> Contacts:
        return collision.wheel_sphere(hub, axes, size, beside(obstacle, hub), radius)

    groups = [
        _each(ball, (centers, radii), obstacles),
        _each(solid, (_robot_boxes(frames, robot.boxes),), obstacles),
    ]
    if robot.wheels is not None:
        groups.append(_each(wheel, _wheels(frames, robot.wheels), obstacles))
    return _listed(*groups)


def _shape_table(robot: RobotModel, boxes_repeated: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """The parts and frictions of all shapes: spheres, then boxes (each several times), then wheels."""
    groups = [(robot.spheres, 1), (robot.boxes, boxes_repeated)] + ([(robot.wheels, 1)] if robot.wheels else [])
    part = np.concatenate([np.repeat(shapes.part, times) for shapes, times in groups])
    friction = np.concatenate([np.repeat(shapes.friction, times, axis=0) for shapes, times in groups])
    return part, np.maximum(friction, ROUGH)


def _obstacle_rows(scene: Scene, robot: RobotModel, frames: Frames, obstacles: jax.Array) -> Rows:
    contacts = _obstacle_contacts(scene, robot, frames, obstacles)
    part, friction = (np.repeat(table, obstacles.shape[0], axis=0) for table in _shape_table(robot))
    rows = rough(contacts, -robot_rows(at_parts(frames, part), contacts), robot.inverse_weights[part])
    return rows._replace(friction=aligned(friction, contacts.distance, 1))


def _body_contacts(robot: RobotModel, frames: Frames, solids: Box) -> Contacts:
    """Contacts of every shape with each of the g boxes of one body, of which a pair of boxes has SLOTS."""
    centers, _ = _placed(frames, robot.spheres)
    radii = jnp.asarray(robot.spheres.size[:, 0], centers.dtype)
    groups = [
        _each(collision.sphere_box, (centers, radii), solids),
        box_box_pairs(_robot_boxes(frames, robot.boxes), solids),
    ]
    if robot.wheels is not None:
        groups.append(_each(collision.wheel_box, _wheels(frames, robot.wheels), solids))
    return _listed(*groups)


def _touch_rows(scene: Scene, robot: RobotModel, frames: Frames, body: Bodies, origin: jax.Array) -> Rows:
    """The first few real contacts of the robot with one body; the Jacobian has n + 6 columns."""
    assert scene.body is not None
    contacts = _body_contacts(robot, frames, boxes(scene.body, body, origin))
    part, friction = (np.repeat(table, len(scene.body.halves), axis=0) for table in _shape_table(robot, SLOTS))
    parts = len(robot.inverse_weights)
    known = aligned(np.column_stack([np.eye(parts)[part], friction]), contacts.distance, 1)
    known = jnp.broadcast_to(known, (*known.shape[:2], *contacts.distance.shape[1:]))
    values = jnp.concatenate([contacts.position, contacts.normal, known], axis=1)
    distance, values = compress(contacts.distance, values, slots=scene.contact_slots)
    # An unused slot has no normal of its own.
    normal = jnp.where((distance > 0)[:, None], aligned([1.0, 0.0, 0.0], body.position, 1), values[:, 3:6])
    share, contacts = values[:, 6 : 6 + parts], Contacts(distance, values[:, :3], normal)
    jacobian = [-robot_rows(at_shares(frames, share), contacts), body_rows(body, origin, contacts)]
    weights = aligned(robot.inverse_weights, distance, 1)
    softness = add_up(jnp.moveaxis(share, 1, 0) * weights[:, None]) + scene.body.inverse_weight
    return Rows(distance, jnp.concatenate(jacobian, axis=2), softness, values[:, 6 + parts :])


def ground_rows(kind: BodyKind, body: Bodies) -> Rows:
    """Contacts of one body with the floor; the Jacobian has 6 columns."""
    origin = jnp.zeros_like(body.position)
    contacts = jax.vmap(collision.floor_box)(boxes(kind, body, origin))
    contacts = Contacts(*(flat(leaf, 2) for leaf in contacts))
    return rough(contacts, body_rows(body, origin, contacts), kind.inverse_weight)


def _block_rows(scene: Scene, body: Bodies, obstacles: jax.Array, origin: jax.Array) -> Rows:
    """Contacts of one body with the pillars; the Jacobian has 6 columns."""
    assert scene.body is not None

    def pair(box: Box, obstacle: jax.Array) -> Contacts:
        return collision.box_pillar(box, obstacle[:2], scene.obstacle_radius)

    contacts = _each(pair, (boxes(scene.body, body, origin),), obstacles)
    return rough(contacts, body_rows(body, origin, contacts), scene.body.inverse_weight)


def robot_floor_rows(robot: RobotModel, frames: Frames, height: jax.Array) -> Rows:
    """Contacts of wheels and spheres with the floor, `height` `[]` (m) below the robot's origin."""
    assert robot.wheels is not None
    hubs, axes = _placed(frames, robot.wheels)
    centers, _ = _placed(frames, robot.spheres)
    lift = height * aligned([0.0, 0.0, 1.0], hubs[0], 1)
    radius, width = (float(length) for length in robot.wheels.size[0])
    wheels = jax.vmap(lambda hub, axis: collision.floor_wheel(hub + lift, axis, radius, width))(hubs, axes[:, 0])
    balls = jax.vmap(collision.floor_sphere)(centers + lift, jnp.asarray(robot.spheres.size[:, 0], centers.dtype))
    contacts = _listed(*(Contacts(*(flat(leaf, 2) for leaf in group)) for group in (wheels, balls)))
    contacts = contacts._replace(position=contacts.position - lift)
    part = np.concatenate([np.repeat(robot.wheels.part, 2), robot.spheres.part])
    return rough(contacts, robot_rows(at_parts(frames, part), contacts), robot.inverse_weights[part])


def _for_bodies(rows: Callable[[Bodies], Rows], bodies: Bodies) -> Rows:
    """The `rows` of each body; without `vmap` for a single one, as that would compute both branches of conditionals."""
    if bodies.position.shape[0] > 1:
        return jax.vmap(rows)(bodies)
    return Rows(*(leaf[None] for leaf in rows(jax.tree.map(lambda leaf: leaf[0], bodies))))


def contact_rows(
    scene: Scene, robot: RobotModel, frames: Frames, origin: jax.Array, bodies: Bodies, obstacles: jax.Array
) -> tuple[Rows, jax.Array, jax.Array]:
    """All contacts with k `bodies` and `obstacles` `[o, 3]`, and which of them are touched, bool `[o]` and `[k]`.

    `origin` `[3]` is the robot's place in the world.
    """
    size, slots = robot.mass.shape[0], bodies.position.shape[0]
    groups = []
    hits = jnp.zeros((obstacles.shape[0], *origin.shape[1:]), bool)
    bumps = jnp.zeros((slots, *origin.shape[1:]), bool)
    if robot.wheels is not None:
        groups.append(spread(robot_floor_rows(robot, frames, origin[2]), 0, 6 * slots))
    if obstacles.shape[0]:
        rows = _obstacle_rows(scene, robot, frames, obstacles)
        hits = jnp.any(rows.distance.reshape(-1, *hits.shape) <= 0, axis=0)
        groups.append(spread(rows, 0, 6 * slots))
    if slots:
        assert scene.body is not None
        rows = _for_bodies(lambda body: _touch_rows(scene, robot, frames, body, origin), bodies)
        bumps = jnp.any(rows.distance <= 0, axis=1)
        groups.append(in_slots(rows, slots, size))
        if not scene.body.welded:
            alone = jax.vmap(partial(ground_rows, scene.body))(bodies)
            groups.append(spread(in_slots(alone, slots, 0), size, 0))
        if obstacles.shape[0] and scene.obstacle_shape == "cylinder":
            blocked = jax.vmap(lambda body: _block_rows(scene, body, obstacles, origin))(bodies)
            groups.append(spread(in_slots(blocked, slots, 0), size, 0))
    return joined(groups), hits, bumps


def smooth_terms(
    scene: Scene, robot: RobotModel, state: object, action: jax.Array, bodies: Bodies, time: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Mass matrix `[n + 6k, n + 6k]`, force and velocity `[n + 6k]` of a robot and k bodies without contacts."""
    velocity, force = robot.velocity(state), robot.forces(state, action)
    mass = aligned(robot.mass, force, 1)
    mass = jnp.broadcast_to(mass, (*mass.shape[:2], *force.shape[1:]))
    for index in range(bodies.position.shape[0]):
        assert scene.body is not None
        body = jax.tree.map(lambda leaf, index=index: leaf[index], bodies)
        block, push = quadratic(scene.body, body, time)
        size = mass.shape[0]
        beside = jnp.zeros((size, 6, *mass.shape[2:]), mass.dtype)
        lower = jnp.concatenate([jnp.swapaxes(beside, 0, 1), block], axis=1)
        mass = jnp.concatenate([jnp.concatenate([mass, beside], axis=1), lower])
        force, velocity = jnp.concatenate([force, push]), jnp.concatenate([velocity, body.velocity, body.angular])
    return mass, force, velocity
