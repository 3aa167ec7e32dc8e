"""Every contact of one environment, put together as the solver's problem.

n degrees of freedom of the robot, k bodies with 6 each, o obstacles, c contacts. Positions are relative to the
robot's origin.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from envs.physics import collide
from envs.physics.bodies import Bodies, BodyKind, boxes, quadratic
from envs.physics.box_box import box_box
from envs.physics.contact import Box, Contacts, impedance, reference_gains
from envs.physics.newton import Problem
from envs.physics.robot import ROUGH, Frames, RobotModel, Shapes
from envs.physics.rotation import cross, matrix
from envs.physics.scene import Scene

_STIFFNESS, _DAMPING = reference_gains()


class Rows(NamedTuple):
    """Contacts with the six rows of each in all degrees of freedom."""

    distance: jax.Array  # [c]
    jacobian: jax.Array  # [c, 6, n + 6 k]
    softness: jax.Array  # [c] sum of the two inverse weights
    friction: jax.Array  # [c, 5]


def _placed(frames: Frames, shapes: Shapes) -> tuple[jax.Array, jax.Array]:
    """Centres `[s, 3]` and axes `[s, 3, 3]` of shapes."""
    axes = frames.axes[shapes.part]
    offset = jnp.asarray(shapes.offset, axes.dtype)
    return frames.origin[shapes.part] + jnp.sum(offset[:, :, None] * axes, axis=1), axes


def _robot_boxes(frames: Frames, shapes: Shapes) -> Box:
    centre, axes = _placed(frames, shapes)
    return Box(centre, axes, jnp.asarray(shapes.size, centre.dtype))


def _flip(contacts: Contacts) -> Contacts:
    return contacts._replace(frame=-contacts.frame)


def _robot_rows(frames: Frames, part: np.ndarray | jax.Array, contacts: Contacts) -> jax.Array:
    """Velocity rows `[c, 6, n]` of the robot's points at `contacts`, of which each is on one `part` `[c]`."""
    linear, angular = frames.linear[part], frames.angular[part]
    arm = contacts.position - frames.origin[part]
    swung = jnp.swapaxes(cross(jnp.swapaxes(angular, 1, 2), arm[:, None]), 1, 2)
    return jnp.concatenate([contacts.frame @ (linear + swung), contacts.frame @ angular], axis=1)


def _body_rows(body: Bodies, origin: jax.Array, contacts: Contacts) -> jax.Array:
    """Velocity rows `[c, 6, 6]` of one body's points at `contacts`."""
    turn = matrix(body.rotation)
    arm = contacts.position - (body.position - origin)
    swung = jnp.swapaxes(cross(turn.T[None], arm[:, None]), 1, 2)
    angular = contacts.frame @ turn
    return jnp.concatenate(
        [
            jnp.concatenate([contacts.frame, contacts.frame @ swung], axis=2),
            jnp.concatenate([jnp.zeros_like(angular), angular], axis=2),
        ],
        axis=1,
    )


def _each(pair: Callable[..., Contacts], first: tuple[Any, ...], second: Any) -> Contacts:
    """`pair` for all combinations of the leading axes of `first` and of `second`, as one list, `first` slowest."""
    every = jax.vmap(jax.vmap(pair, (*[None] * len(first), 0)), (*[0] * len(first), None))(*first, second)
    return jax.tree.map(lambda leaf: _flat(leaf, 3), every)


def _listed(*groups: Contacts) -> Contacts:
    return jax.tree.map(lambda *parts: jnp.concatenate(parts), *groups)


def _wheels(frames: Frames, shapes: Shapes) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Hubs, axes and sizes."""
    hubs, axes = _placed(frames, shapes)
    return hubs, axes, jnp.asarray(shapes.size, hubs.dtype)


def _obstacle_contacts(scene: Scene, robot: RobotModel, frames: Frames, obstacles: jax.Array) -> Contacts:
    """One contact of each shape with each obstacle at `obstacles` `[o, 3]`: `[s o]`, spheres first."""
    centres, _ = _placed(frames, robot.spheres)
    radii = jnp.asarray(robot.spheres.size[:, 0], centres.dtype)
    solids = _robot_boxes(frames, robot.boxes)
    radius = jnp.asarray(scene.obstacle_radius, centres.dtype)
    spherical = scene.obstacle == "button"

    def ball(centre: jax.Array, own: jax.Array, obstacle: jax.Array) -> Contacts:
        at = obstacle if spherical else jnp.concatenate([obstacle[:2], centre[2:]])
        return collide.sphere_sphere(centre, own, at, radius)

    def solid(box: Box, obstacle: jax.Array) -> Contacts:
        at = obstacle if spherical else jnp.concatenate([obstacle[:2], box.position[2:]])
        return _flip(collide.sphere_box(at, radius, box))

    def wheel(hub: jax.Array, axes: jax.Array, size: jax.Array, obstacle: jax.Array) -> Contacts:
        at = obstacle if spherical else jnp.concatenate([obstacle[:2], hub[2:]])
        return collide.wheel_sphere(hub, axes, size, at, radius)

    groups = [_each(ball, (centres, radii), obstacles), _each(solid, (solids,), obstacles)]
    if robot.wheels is not None:
        groups.append(_each(wheel, _wheels(frames, robot.wheels), obstacles))
    return _listed(*groups)


def _shape_table(robot: RobotModel, boxes_repeated: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Parts and frictions of all shapes, spheres first, then boxes (each several times), then wheels."""
    sorts = [(robot.spheres, 1), (robot.boxes, boxes_repeated)] + ([(robot.wheels, 1)] if robot.wheels else [])
    parts = [np.repeat(shapes.part, times) for shapes, times in sorts]
    return np.concatenate(parts), np.concatenate([np.repeat(shapes.friction, n, axis=0) for shapes, n in sorts])


def _flat(array: jax.Array, axes: int) -> jax.Array:
    return array.reshape(-1, *array.shape[axes:])


def _obstacle_rows(scene: Scene, robot: RobotModel, frames: Frames, obstacles: jax.Array) -> Rows:
    contacts = _obstacle_contacts(scene, robot, frames, obstacles)
    part, friction = (np.repeat(table, obstacles.shape[0], axis=0) for table in _shape_table(robot))
    dtype = contacts.distance.dtype
    return Rows(
        contacts.distance,
        -_robot_rows(frames, part, contacts),
        jnp.asarray(robot.inverse_weights[part], dtype),
        jnp.asarray(np.maximum(friction, ROUGH), dtype),
    )


def _body_contacts(robot: RobotModel, frames: Frames, solids: Box) -> Contacts:
    """Contacts of every shape with each of the g boxes of one body: of spheres, 8 a pair of boxes, of wheels."""
    centres, _ = _placed(frames, robot.spheres)
    radii = jnp.asarray(robot.spheres.size[:, 0], centres.dtype)
    groups = [
        _each(collide.sphere_box, (centres, radii), solids),
        _each(box_box, (_robot_boxes(frames, robot.boxes),), solids),
    ]
    if robot.wheels is not None:
        groups.append(_each(collide.wheel_box, _wheels(frames, robot.wheels), solids))
    return _listed(*groups)


def _kept(contacts: Contacts, extra: jax.Array, slots: int) -> tuple[Contacts, jax.Array]:
    """The first `slots` real contacts and their rows of `extra` `[c, d]`."""
    real = contacts.distance <= 0
    rank = jnp.cumsum(real) - 1
    place = ((rank[None] == jnp.arange(slots)[:, None]) & real[None]).astype(extra.dtype)
    packed = jnp.concatenate([contacts.position, contacts.frame.reshape(-1, 9), extra], axis=1)
    values = place @ packed
    distance = jnp.where(jnp.sum(place, axis=1) > 0, place @ contacts.distance, 1.0)
    return Contacts(distance, values[:, :3], values[:, 3:12].reshape(-1, 3, 3)), values[:, 12:]


def _touch_rows(scene: Scene, robot: RobotModel, frames: Frames, body: Bodies, origin: jax.Array) -> Rows:
    """Contacts of the robot with one body; the jacobian has n + 6 columns."""
    assert scene.body is not None
    solids = boxes(scene.body, body, origin)
    contacts = _body_contacts(robot, frames, solids)
    count = len(scene.body.halves)
    part, friction = (np.repeat(table, count, axis=0) for table in _shape_table(robot, boxes_repeated=8))
    known = np.column_stack([np.eye(len(frames.origin))[part], robot.inverse_weights[part], friction])
    contacts, kept = _kept(contacts, jnp.asarray(known, contacts.distance.dtype), scene.touch_slots)
    parts = len(frames.origin)
    chosen = jnp.argmax(kept[:, :parts], axis=1) if parts > 1 else np.zeros(scene.touch_slots, int)
    jacobian = jnp.concatenate([-_robot_rows(frames, chosen, contacts), _body_rows(body, origin, contacts)], axis=2)
    return Rows(contacts.distance, jacobian, kept[:, parts] + scene.body.inverse_weight, kept[:, parts + 1 :])


def _rough(contacts: Contacts, jacobian: jax.Array, softness: float) -> Rows:
    dtype = contacts.distance.dtype
    count = contacts.distance.shape[0]
    friction = jnp.broadcast_to(jnp.asarray(ROUGH, dtype), (count, 5))
    return Rows(contacts.distance, jacobian, jnp.full(count, softness, dtype), friction)


def ground_rows(kind: BodyKind, body: Bodies) -> Rows:
    """Contacts of one body with the floor; the jacobian has 6 columns."""
    origin = jnp.zeros(3, body.position.dtype)
    contacts = jax.vmap(collide.floor_box)(boxes(kind, body, origin))
    contacts = jax.tree.map(lambda leaf: _flat(leaf, 2), contacts)
    return _rough(contacts, _body_rows(body, origin, contacts), kind.inverse_weight)


def _block_rows(scene: Scene, body: Bodies, obstacles: jax.Array, origin: jax.Array) -> Rows:
    """Contacts of one body with the pillars; the jacobian has 6 columns."""
    assert scene.body is not None
    solids = boxes(scene.body, body, origin)

    def pair(box: Box, obstacle: jax.Array) -> Contacts:
        return collide.box_pillar(box, obstacle[:2], scene.obstacle_radius)

    contacts = _each(pair, (solids,), obstacles)
    return _rough(contacts, _body_rows(body, origin, contacts), scene.body.inverse_weight)


def robot_floor_rows(robot: RobotModel, frames: Frames, height: jax.Array) -> Rows:
    """Contacts of wheels and of spheres with the floor, `height` `[]` m below the robot's origin."""
    assert robot.wheels is not None
    lift = height * jnp.array([0.0, 0.0, 1.0], height.dtype)
    hubs, axes = _placed(frames, robot.wheels)
    radius, width = robot.wheels.size[0]
    wheels = jax.vmap(lambda hub, axis: collide.floor_wheel(hub + lift, axis, float(radius), float(width)))(
        hubs, axes[:, 0]
    )
    centres, _ = _placed(frames, robot.spheres)
    balls = jax.vmap(collide.floor_sphere)(centres + lift, jnp.asarray(robot.spheres.size[:, 0], centres.dtype))
    contacts = jax.tree.map(lambda *rows: jnp.concatenate([_flat(row, 2) for row in rows]), wheels, balls)
    contacts = contacts._replace(position=contacts.position - lift)
    part = np.concatenate([np.repeat(robot.wheels.part, 2), robot.spheres.part])
    rows = _rough(contacts, _robot_rows(frames, part, contacts), 0.0)
    return rows._replace(softness=jnp.asarray(robot.inverse_weights[part], centres.dtype))


def _spread(rows: Rows, before: int, after: int) -> Rows:
    """Rows whose columns come after `before` and before `after` others."""
    return rows._replace(jacobian=jnp.pad(rows.jacobian, ((0, 0), (0, 0), (before, after))))


def _in_slots(rows: Rows, slots: int, size: int) -> Rows:
    """Rows of k bodies (leading axis), whose last 6 columns go to their own slot of k."""
    own = jnp.eye(slots, dtype=rows.distance.dtype)[:, None, None, :, None] * rows.jacobian[:, :, :, None, size:]
    own = own.reshape(*own.shape[:3], slots * 6)
    joined = rows._replace(jacobian=jnp.concatenate([rows.jacobian[..., :size], own], axis=-1))
    return jax.tree.map(lambda leaf: _flat(leaf, 2), joined)


def joined(groups: list[Rows]) -> Rows:
    """All groups in one."""
    return jax.tree.map(lambda *parts: jnp.concatenate(parts), *groups)


def as_problem(rows: Rows, mass: jax.Array, force: jax.Array, velocity: jax.Array) -> Problem:
    """MuJoCo's problem for contacts `rows` of a system with `mass` `[n, n]`, `force` `[n]` and `velocity` `[n]`."""
    share = impedance(rows.distance)
    offset = _DAMPING * (rows.jacobian @ velocity)
    offset = offset.at[:, 0].add(_STIFFNESS * share * rows.distance)
    stiffness = jnp.where(rows.distance <= 0, share / ((1 - share) * 4 * rows.softness), 0.0)
    return Problem(mass, force, rows.jacobian, offset, stiffness, rows.friction)


def contact_rows(
    scene: Scene,
    robot: RobotModel,
    frames: Frames,
    height: jax.Array,
    origin: jax.Array,
    bodies: Bodies,
    obstacles: jax.Array,
) -> tuple[Rows, jax.Array, jax.Array]:
    """All contacts with k `bodies` and `obstacles` `[o, 3]`, and which of both are touched, bool `[o]` and `[k]`."""
    size, slots = robot.mass.shape[0], bodies.position.shape[0]
    groups = []
    hits = jnp.zeros(obstacles.shape[0], bool)
    bumps = jnp.zeros(slots, bool)
    if robot.wheels is not None:
        groups.append(_spread(robot_floor_rows(robot, frames, height), 0, 6 * slots))
    if obstacles.shape[0]:
        rows = _obstacle_rows(scene, robot, frames, obstacles)
        hits = jnp.any(rows.distance.reshape(-1, obstacles.shape[0]) <= 0, axis=0)
        groups.append(_spread(rows, 0, 6 * slots))
    if slots:
        assert scene.body is not None
        rows = jax.vmap(lambda body: _touch_rows(scene, robot, frames, body, origin))(bodies)
        bumps = jnp.any(rows.distance <= 0, axis=1)
        groups.append(_in_slots(rows, slots, size))
        if not scene.body.welded:
            alone = jax.vmap(partial(ground_rows, scene.body))(bodies)
            groups.append(_spread(_in_slots(alone, slots, 0), size, 0))
        if obstacles.shape[0] and scene.obstacle == "pillar":
            blocked = jax.vmap(lambda body: _block_rows(scene, body, obstacles, origin))(bodies)
            groups.append(_spread(_in_slots(blocked, slots, 0), size, 0))
    return joined(groups), hits, bumps


def smooth_terms(
    scene: Scene, robot: RobotModel, state: object, action: jax.Array, bodies: Bodies, time: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Mass matrix `[n + 6k, n + 6k]`, force and velocity `[n + 6k]` of a robot and k bodies, without contacts."""
    velocity, force = robot.velocity(state), robot.forces(state, action)
    mass = jnp.asarray(robot.mass, force.dtype)
    slots, size = bodies.position.shape[0], mass.shape[0]
    if not slots:
        return mass, force, velocity
    assert scene.body is not None
    blocks, pushes = jax.vmap(partial(quadratic, scene.body), (0, None))(bodies, time)
    spread = jnp.eye(slots, dtype=mass.dtype)[:, None, :, None] * blocks[:, :, None, :]
    mass = jnp.pad(mass, (0, 6 * slots)) + jnp.pad(spread.reshape(6 * slots, 6 * slots), (size, 0))
    own = jnp.concatenate([bodies.velocity, bodies.angular], axis=1)
    return mass, jnp.append(force, pushes.reshape(-1)), jnp.append(velocity, own.reshape(-1))
