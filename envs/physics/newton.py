"""MuJoCo's constraint problem, by Newton's method with exact line search and a fixed number of iterations.

n degrees of freedom, c contacts. Minimised over the acceleration a, with M and b of the unconstrained motion (and of
welds, which are quadratic too):

    1/2 a' M a - b' a + 1/2 sum over contacts and their ten edges of D min(r, 0)^2,   r = u_0 +- mu_i u_i,  u = J a + o

J has six rows a contact: normal, two tangents, torsion, two rolling. As the edges share their rows, gradient and
Hessian are put together in these six (arrow-shaped blocks) and only then mapped to the degrees of freedom.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

_SEARCHES = 6


class Problem(NamedTuple):
    """One environment's problem."""

    mass: jax.Array  # [n, n] M
    force: jax.Array  # [n] b
    jacobian: jax.Array  # [c, 6, n] J
    offset: jax.Array  # [c, 6] o
    stiffness: jax.Array  # [c] D, 0 for unused contacts
    friction: jax.Array  # [c, 5] mu


def _product(matrix: jax.Array, vector: jax.Array) -> jax.Array:
    """`matrix` `[..., n]` times `vector` `[n]`, elementwise, which vectorises over a batch in the last axis."""
    return jnp.sum(matrix * vector, axis=-1)


def _edges(problem: Problem, base: jax.Array) -> tuple[jax.Array, jax.Array]:
    """min(r, 0) of the edges on the positive and on the negative side, `[c, 5]` each, from `base` u `[c, 6]`."""
    tangent = problem.friction * base[:, 1:]
    return jnp.minimum(base[:, :1] + tangent, 0), jnp.minimum(base[:, :1] - tangent, 0)


def _contact_gradient(problem: Problem, base: jax.Array) -> jax.Array:
    """Derivative of the contact part by u, `[c, 6]`."""
    plus, minus = _edges(problem, base)
    normal = jnp.sum(plus + minus, axis=1, keepdims=True)
    return problem.stiffness[:, None] * jnp.concatenate([normal, problem.friction * (plus - minus)], axis=1)


def _contact_hessian(problem: Problem, base: jax.Array) -> tuple[jax.Array, jax.Array]:
    """First column `[c, 6]` and diagonal `[c, 5]` (of rows 1 to 5) of the arrow-shaped second derivative by u."""
    plus, minus = (((side < 0) * problem.stiffness[:, None]) for side in _edges(problem, base))
    both = plus + minus
    column = jnp.concatenate([jnp.sum(both, axis=1, keepdims=True), problem.friction * (plus - minus)], axis=1)
    return column, jnp.square(problem.friction) * both


def _hessian(problem: Problem, base: jax.Array) -> jax.Array:
    """Second derivative `[n, n]` of the whole."""
    column, diagonal = _contact_hessian(problem, base)
    jacobian = problem.jacobian
    normal = jnp.sum(column[:, :, None] * jacobian, axis=1, keepdims=True)
    rest = column[:, 1:, None] * jacobian[:, :1] + diagonal[:, :, None] * jacobian[:, 1:]
    weighted = jnp.concatenate([normal, rest], axis=1)

    def add(index: jax.Array, total: jax.Array) -> jax.Array:
        left, right = jacobian[index], weighted[index]
        return total + sum(left[row][:, None] * right[row] for row in range(6))

    return jax.lax.fori_loop(0, jacobian.shape[0], add, problem.mass)


def solve_positive(matrix: jax.Array, vector: jax.Array) -> jax.Array:
    """The solution `[n]` of `matrix` x = `vector` for a positive definite `matrix` `[n, n]`, by LDL' elimination.

    Unrolled over the columns: batched over the last axis this is ten times faster than LAPACK called for each matrix.
    """
    pivots, columns, reduced = [], [], []
    for _ in range(matrix.shape[0]):
        inverse = 1 / matrix[0, 0]
        column = matrix[1:, 0] * inverse
        pivots.append(inverse)
        columns.append(column)
        reduced.append(vector[0])
        vector = vector[1:] - column * vector[0]
        matrix = matrix[1:, 1:] - column[:, None] * matrix[0, 1:]
    for inverse, column, value in zip(reversed(pivots), reversed(columns), reversed(reduced), strict=True):
        head = value * inverse - jnp.sum(column * vector)
        vector = jnp.concatenate([head[None], vector])
    return vector


def _line_search(problem: Problem, base: jax.Array, run: jax.Array, slope: jax.Array, curve: jax.Array) -> jax.Array:
    """The step `[]` that minimises along a direction; `run` `[c, 6]` is J p, `slope` and `curve` the smooth part's."""

    def derivative(step: jax.Array) -> tuple[jax.Array, jax.Array]:
        at = base + step * run
        column, diagonal = _contact_hessian(problem, at)
        first = slope + step * curve + jnp.sum(_contact_gradient(problem, at) * run)
        bent = 2 * jnp.sum(column * run, axis=1) - column[:, 0] * run[:, 0]
        second = jnp.sum(bent * run[:, 0]) + jnp.sum(diagonal * jnp.square(run[:, 1:]))
        return first, curve + second

    def refine(_: int, bracket: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        low, high, step = bracket
        first, second = derivative(step)
        low, high = jnp.where(first < 0, step, low), jnp.where(first < 0, high, step)
        proposal = step - first / second
        inside = (proposal >= low) & (proposal <= high)
        return low, high, jnp.where(inside, proposal, 0.5 * (low + high))

    one = jnp.ones_like(slope)
    return jax.lax.fori_loop(0, _SEARCHES, refine, (0 * one, 4 * one, one))[2]


def minimise(problem: Problem, start: jax.Array, iterations: int) -> jax.Array:
    """The acceleration `[n]` after `iterations` Newton steps from `start` `[n]`."""
    scale = jax.lax.rsqrt(jnp.diagonal(problem.mass))
    problem = problem._replace(
        mass=problem.mass * scale[:, None] * scale,
        force=problem.force * scale,
        jacobian=problem.jacobian * scale,
    )

    def iterate(_: int, point: jax.Array) -> jax.Array:
        base = _product(problem.jacobian, point) + problem.offset
        smooth = _product(problem.mass, point) - problem.force
        contact = _contact_gradient(problem, base)
        gradient = smooth + jnp.sum(problem.jacobian * contact[:, :, None], axis=(0, 1))
        direction = -solve_positive(_hessian(problem, base), gradient)
        slope, curve = jnp.sum(direction * smooth), jnp.sum(direction * _product(problem.mass, direction))
        run = _product(problem.jacobian, direction)
        return point + _line_search(problem, base, run, slope, curve) * direction

    return jax.lax.fori_loop(0, iterations, iterate, start / scale) * scale
