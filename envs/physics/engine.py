"""One env step of a robot among obstacles and movable bodies, for one environment; vmap for more.

Notation: N environments, o obstacles, m bodies, of which the robot may touch k at once. Most environments touch nothing
most of the time, so the solver runs only for those whose robot is near something, compacted into chunks. The same goes
for bodies that slide on their own.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from envs.batching.compaction import compacted
from envs.batching.control_flow import repeat
from envs.physics import bodies as movable
from envs.physics.bodies import Bodies
from envs.physics.broad_phase import Surroundings, gaps
from envs.physics.constraint import contact_rows, ground_rows, smooth_terms
from envs.physics.constraint_rows import as_problem, joined
from envs.physics.linalg import add_up, aligned, apply
from envs.physics.newton import minimize
from envs.physics.robot import RobotModel
from envs.physics.scene import Scene

NEAREST_OBSTACLES = 2  # that a robot can touch at once
_BODY_ITERATIONS = 4
_STILL = 1e-5  # m/s, and a tenth of the rad/s, below which a body on the floor is at rest


class Touch(NamedTuple):
    """What the robot touches at the end of a step."""

    obstacles: jax.Array  # bool [o]
    bodies: jax.Array  # bool [m]


Step = Callable[[Any, Bodies, jax.Array, jax.Array, jax.Array], tuple[Any, Bodies, Touch]]


def _nearest(room: jax.Array, count: int) -> jax.Array:
    """Which of `room` `[m, N]` is the smallest, the second smallest and so on, bool `[count, m, N]`."""
    chosen = jnp.zeros((0, *room.shape), bool)
    for _ in range(count):
        least = jnp.arange(room.shape[0])[:, None] == jnp.argmin(room, axis=0)
        chosen, room = jnp.concatenate([chosen, least[None]]), jnp.where(least, jnp.inf, room)
    return chosen


def _taken(leaf: jax.Array, chosen: jax.Array) -> jax.Array:
    """The `chosen` `[k, m, N]` of `leaf` `[m, d, N]`: `[k, d, N]`."""
    terms = jnp.where(jnp.swapaxes(chosen, 0, 1)[:, :, None], leaf[:, None], 0)
    return add_up(terms) if len(chosen) else jnp.zeros((0, *leaf.shape[1:]), leaf.dtype)


def _put_back(leaf: jax.Array, chosen: jax.Array, picked: jax.Array) -> jax.Array:
    """The inverse of `_taken`: `leaf` `[m, d, N]` with `picked` `[k, d, N]` in place of the `chosen`."""
    for mask, new in zip(chosen, picked, strict=True):
        leaf = jnp.where(mask[:, None], new, leaf)
    return leaf


class _Inputs(NamedTuple):
    """What the step of N environments starts from, N along the last axis of everything."""

    state: Any
    surroundings: Surroundings
    gaps: tuple[jax.Array, jax.Array]  # [o, N], [m, N]
    alone: Bodies  # after the step, where untouched
    action: jax.Array
    time: jax.Array


def _accelerate(
    scene: Scene,
    robot: RobotModel,
    state: Any,
    bodies: Bodies,
    near: jax.Array,
    action: jax.Array,
    time: jax.Array,
    start: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The acceleration of robot and bodies among obstacles `near` `[o, 2, N]`, and which of both are touched.

    The solution is sought from `start` on.
    """
    origin = robot.origin(state)
    height = jnp.full_like(near[:, :1], scene.obstacle_radius)
    placed = jnp.concatenate([near, height], axis=1) - origin
    rows, hits, bumps = contact_rows(scene, robot, robot.frames(state), origin, bodies, placed)
    problem = as_problem(rows, *smooth_terms(scene, robot, state, action, bodies, time))
    return minimize(problem, start, max(robot.iterations, scene.iterations)), hits, bumps


def _together(
    scene: Scene, robot: RobotModel, slots: int, beside: int, substeps: int
) -> Callable[[_Inputs], tuple[Any, Bodies, Touch]]:
    """The step of robots with their `slots` nearest bodies and `beside` nearest obstacles, solved in every substep.

    Each solution is where the next one starts. A robot on wheels always touches the floor: it gets an extra solution
    first, so that even the first substep starts from one.
    """
    lead = 0 if robot.wheels is None else 1
    size = robot.mass.shape[0]

    def step(inputs: _Inputs) -> tuple[Any, Bodies, Touch]:
        first, chosen = _nearest(inputs.gaps[0], beside), _nearest(inputs.gaps[1], slots)
        near = _taken(inputs.surroundings.obstacles, first)

        def substep(index: jax.Array, carry: tuple[Any, ...]) -> tuple[Any, ...]:
            state, picked, start, _, _ = carry
            moment = inputs.time + jnp.clip(index, 0, substeps - 1) * robot.timestep
            acceleration, hits, bumps = _accelerate(scene, robot, state, picked, near, inputs.action, moment, start)
            change = robot.timestep * apply(aligned(robot.euler, start, 1), acceleration[:size])
            own = acceleration[size:].reshape(slots, 6, *start.shape[1:])
            moved = robot.advance(state, change), jax.vmap(movable.advance, (0, 0, None))(picked, own, robot.timestep)
            stays = (index < 0) | (index == substeps)
            sensed = robot.sense(state, acceleration[:size]), picked
            state, picked = jax.tree.map(lambda old, new: jnp.where(stays, old, new), sensed, moved)
            return state, picked, acceleration, hits, bumps

        items = near.shape[-1]
        start = jnp.zeros((size + 6 * slots, items), near.dtype)
        none = jnp.zeros((beside, items), bool), jnp.zeros((slots, items), bool)
        picked = jax.tree.map(lambda leaf: _taken(leaf, chosen), inputs.surroundings.bodies)
        carry = (inputs.state, picked, start, *none)
        state, picked, _, hits, bumps = lax.fori_loop(-lead, substeps + 1, substep, carry)
        bodies = jax.tree.map(lambda leaf, new: _put_back(leaf, chosen, new), inputs.alone, picked)
        touch = Touch(jnp.any(first & hits[:, None], axis=0), jnp.any(chosen & bumps[:, None], axis=0))
        return state, bodies, touch

    return step


def carried(scene: Scene, body: Bodies, time: jax.Array, timestep: float, substeps: int) -> Bodies:
    """The state of a welded body that touches nothing, `substeps` of `timestep` (s) later."""
    assert scene.body is not None
    kind = scene.body

    def substep(index: jax.Array, moving: Bodies) -> Bodies:
        return movable.advance(moving, movable.free_acceleration(kind, moving, time + index * timestep), timestep)

    return repeat(substeps, substep, body)


def _sliding(scene: Scene, timestep: float, substeps: int) -> Callable[[Bodies], Bodies]:
    """The step of bodies (along the last axis) that touch nothing but the floor."""
    assert scene.body is not None
    kind = scene.body

    def substep(_: int, carry: tuple[Bodies, jax.Array]) -> tuple[Bodies, jax.Array]:
        body, start = carry
        mass, force = movable.quadratic(kind, body, jnp.zeros((), body.position.dtype))
        velocity = jnp.concatenate([body.velocity, body.angular])
        problem = as_problem(joined([ground_rows(kind, body)]), mass, force, velocity)
        acceleration = minimize(problem, start, _BODY_ITERATIONS)
        return movable.advance(body, acceleration, timestep), acceleration

    def step(body: Bodies) -> Bodies:
        start = jnp.zeros((6, *body.position.shape[1:]), body.position.dtype)
        return lax.fori_loop(0, substeps, substep, (body, start))[0]

    return step


def _moving(bodies: Bodies) -> jax.Array:
    """Which bodies `[m]` on the floor are not at rest."""
    linear = jnp.max(jnp.abs(bodies.velocity), axis=1)
    return (linear > _STILL) | (jnp.max(jnp.abs(bodies.angular), axis=1) > 10 * _STILL)


def make_step(robot: RobotModel, scene: Scene, substeps: int, *, chunk: int = 64) -> Step:
    """The step `(state, bodies, obstacles [o, 2], action [A], time []) -> (state, bodies, Touch)` of one environment.

    It consists of `substeps` of the robot's timestep. `action` is in -1..1, `time` in s since the reset, and there are
    `scene.bodies` bodies. Solvers run on `chunk` environments at a time, with one solver for each number of bodies
    within reach.
    """
    beside = min(NEAREST_OBSTACLES, scene.obstacles)
    tiers = {(slots, beside) for slots in range(scene.touchable + 1)}
    rolls = robot.wheels is not None
    tiers = tiers | {(0, 0)} if rolls else tiers - {(0, 0)}
    solvers = {tier: compacted(_together(scene, robot, *tier, substeps), chunk) for tier in sorted(tiers)}
    loose = scene.body is not None and not scene.body.welded
    slide = compacted(_sliding(scene, robot.timestep, substeps), chunk) if loose else None

    def step(
        state: Any, bodies: Bodies, obstacles: jax.Array, action: jax.Array, time: jax.Array
    ) -> tuple[Any, Bodies, Touch]:
        surroundings = Surroundings(bodies, obstacles)
        to_obstacles, to_bodies = gaps(scene, robot, state, surroundings, substeps * robot.timestep)
        near = to_bodies < 0
        if slide is not None:
            alone = jax.vmap(slide)(_moving(bodies) & ~near, bodies, bodies)
        elif scene.body is not None:
            alone = jax.vmap(lambda body: carried(scene, body, time, robot.timestep, substeps))(bodies)
        else:
            alone = bodies
        none = Touch(jnp.zeros(scene.obstacles, bool), jnp.zeros(scene.bodies, bool))
        outcome = state if rolls else robot.coast(state, action, substeps), alone, none
        count = jnp.minimum(jnp.sum(near), scene.touchable)
        blocked = (count > 0) | jnp.any(to_obstacles < 0)
        inputs = _Inputs(state, surroundings, (to_obstacles, to_bodies), alone, action, time)
        for (slots, obstructed), solver in solvers.items():
            active = (count == slots) & (blocked if obstructed or slots else ~blocked)
            outcome = solver(active, inputs, outcome)
        return outcome

    return step
