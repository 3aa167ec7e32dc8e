"""MuJoCo's constraint problem, solved by Newton's method with exact line search.

The acceleration a minimizes, with M and b of the unconstrained motion (and of welds, which are quadratic too),

    1/2 a' M a - b' a + 1/2 sum over contacts and their ten edges of D min(e, 0)^2,   e = u_0 +- mu_i u_i,  u = J a + o

J has six rows per contact: normal, two tangents, torsion, two rolling. Because the edges share these rows, gradient and
Hessian are put together in them (as arrow-shaped blocks) and only then mapped to the degrees of freedom.

Notation: n degrees of freedom, c contacts, r = 6 c rows, e = 10 c edges. Further axes of all arrays (environments) come
behind those named. With many environments everything runs on full vectors; loops go over contacts and over
the steps of the elimination, which compiles quickly and keeps the vectors in cache.
"""

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from envs.batching.control_flow import on_accelerator, on_gpu, repeat, until_done
from envs.physics.linalg import add_up, apply

_SEARCHES = 6
_CLOSE = 1e-4  # change of a step that ends the search


class Problem(NamedTuple):
    """The problem of one environment."""

    mass: jax.Array  # [n, n] M
    force: jax.Array  # [n] b
    jacobian: jax.Array  # [c, 6, n] J
    offset: jax.Array  # [c, 6] o
    stiffness: jax.Array  # [c] D, 0 for unused contacts
    friction: jax.Array  # [c, 5] mu


class _State(NamedTuple):
    """The state of the iteration."""

    point: jax.Array  # [n] a
    pull: jax.Array  # [n] M a - b
    base: jax.Array  # [c, 6] u, scaled
    done: jax.Array  # bool []


def _edges(base: jax.Array) -> jax.Array:
    """The values e of the edges, `[2, c, 5]`: first with +, then with -."""
    return jnp.stack([base[:, :1] + base[:, 1:], base[:, :1] - base[:, 1:]])


def _columns(active: jax.Array, edges: jax.Array, jacobian: jax.Array) -> jax.Array:
    """The second derivative with respect to u times `jacobian`, then the first derivative, `[c, 6, n + 1]`."""

    def over_edges(values: jax.Array) -> jax.Array:
        return add_up(jnp.swapaxes(values, 0, 1))[:, None]

    plus, minus = active * edges
    gradient = jnp.concatenate([over_edges(plus + minus), plus - minus], axis=1)
    plus, minus = active
    skew, both = (plus - minus)[:, :, None], (plus + minus)[:, :, None]
    normal, rest = jacobian[:, :1], jacobian[:, 1:]
    head = over_edges(both) * normal + over_edges(skew * rest)
    return jnp.concatenate([jnp.concatenate([head, skew * normal + both * rest], axis=1), gradient[:, :, None]], axis=2)


def _rows(array: jax.Array) -> jax.Array:
    """`array` with its first two axes as one."""
    return array.reshape(-1, *array.shape[2:])


def _used_contacts(stiffness: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The contacts `[c]` that exist in any environment in front of the others, and their number `[]`."""
    used = jnp.any(stiffness.reshape(len(stiffness), -1) > 0, axis=1)
    return jnp.nonzero(used, size=len(used), fill_value=0)[0], jnp.sum(used)


def _with_products(
    system: jax.Array, left: jax.Array, right: jax.Array, used: tuple[jax.Array, jax.Array]
) -> jax.Array:
    """`system` `[n, m]` plus the outer products of the rows of `left` `[r, n]` and `right` `[r, m]` that count."""
    if on_accelerator():
        return system + jnp.sum(left[:, :, None] * right[:, None], axis=0)
    contacts, count = used

    def add(index: jax.Array, total: jax.Array) -> jax.Array:
        for row in range(6):
            # Rows are taken one by one: XLA does not vectorize this for rows of a slice of six.
            at = 6 * contacts[index] + row
            total = total + left[at][:, None] * right[at][None]
        return total

    return lax.fori_loop(0, count, add, system)


def solve_positive(system: jax.Array) -> jax.Array:
    """The solution `[n]`, by Gauss-Jordan, of a positive definite `system` `[n, n + 1]` of matrix and right side.

    Each step takes the first row and the first column away and puts the row last and zeros behind the right side, so
    that every step is the same and none needs an index. Two of them share a round, as one buffer each is enough then.
    """
    size = system.shape[0]

    def eliminate(system: jax.Array) -> jax.Array:
        first = lax.optimization_barrier(system[:1] / system[0, 0])
        rest = system[1:, 1:] - system[1:, :1] * first[:, 1:]
        rows = jnp.concatenate([rest, first[:, 1:]])
        return lax.optimization_barrier(jnp.concatenate([rows, jnp.zeros_like(rows[:, :1])], axis=1))

    system = repeat(size // 2, lambda _, system: eliminate(eliminate(system)), system)
    return (eliminate(system) if size % 2 else system)[:, 0]


def _line_search(edges: jax.Array, run: jax.Array, slope: jax.Array, curve: jax.Array, idle: jax.Array) -> jax.Array:
    """The step `[]` that minimizes along a direction in which `edges` `[e]` change by `run` `[e]` per unit.

    `slope` and `curve` `[]` are those of the smooth part. Where `idle` `[]` the step is 1.
    """

    def refine(carry: tuple[Any, ...]) -> tuple[Any, ...]:
        low, high, step, done = carry
        at = edges + step * run
        first = slope + step * curve + add_up(jnp.minimum(at, 0) * run)
        second = curve + add_up(jnp.where(at < 0, jnp.square(run), 0))
        low, high = jnp.where(first < 0, step, low), jnp.where(first < 0, high, step)
        proposal = step - first / second
        inside = (proposal >= low) & (proposal <= high)
        proposal = jnp.where(inside, proposal, 0.5 * (low + high))
        near = jnp.abs(proposal - step) <= _CLOSE
        return low, high, jnp.where(done, step, proposal), done | near

    one = jnp.ones_like(slope)
    start = 0 * one, 4 * one, one, idle
    return until_done(lambda carry: jnp.all(carry[3]), refine, start, _SEARCHES, short=True)[2]


def _kernel() -> Callable[..., jax.Array] | None:
    """The kernel that makes all iterations on a GPU; None elsewhere, and if JAX no longer has Triton."""
    if not on_gpu():
        return None
    try:
        return importlib.import_module("envs.physics.newton_triton").run_newton
    except ImportError:
        return None


def minimize(problem: Problem, start: jax.Array, iterations: int) -> jax.Array:
    """The acceleration `[n]` after at most `iterations` Newton steps from `start` `[n]`.

    It is final once a full step leaves every edge on its side: between the kinks the problem is quadratic.
    """
    size = start.shape[0]
    scale = lax.rsqrt(jnp.stack([problem.mass[index, index] for index in range(size)]))
    mass, force = problem.mass * scale[:, None] * scale, problem.force * scale
    # Rows are scaled so that the edges need neither stiffness nor friction.
    weight = jnp.sqrt(problem.stiffness)[:, None]
    weight = jnp.concatenate([weight, weight * problem.friction], axis=1)
    jacobian = problem.jacobian * scale * weight[:, :, None]
    point, offset = start / scale, problem.offset * weight
    if start.ndim == 2 and start.dtype == jnp.float32 and (run_newton := _kernel()):
        edges, offset = (_rows(_rows(_edges(rows))) for rows in (jacobian, offset))
        limits = iterations, _SEARCHES, _CLOSE
        return run_newton(mass, force, edges, offset, point, *limits) * scale

    def along(vector: jax.Array) -> tuple[jax.Array, jax.Array]:
        return apply(mass, vector), apply(_rows(jacobian), vector).reshape(jacobian.shape[:2] + vector.shape[1:])

    def iterate(state: _State) -> _State:
        edges = _edges(state.base)
        active = (edges < 0).astype(edges.dtype)
        left, right = _rows(jacobian), _rows(_columns(active, edges, jacobian))
        system = jnp.concatenate([mass, state.pull[:, None]], axis=1)
        direction = -solve_positive(_with_products(system, left, right, used))
        push, rise = along(direction)
        edges, run = (_rows(_rows(side)) for side in (edges, _edges(rise)))
        slope, curve = add_up(direction * state.pull), add_up(direction * push)
        crossed = add_up(((edges < 0) != (edges + run < 0)).astype(edges.dtype))
        settled = state.done | (crossed == 0)
        step = jnp.where(state.done, 0, _line_search(edges, run, slope, curve, settled))
        return _State(
            point=state.point + step * direction,
            pull=state.pull + step * push,
            base=state.base + step * rise,
            done=settled,
        )

    used = _used_contacts(problem.stiffness)
    pull, base = along(point)
    base = base + offset
    begin = _State(point, pull - force, base, jnp.zeros(start.shape[1:], bool))
    return until_done(lambda state: jnp.all(state.done), iterate, begin, iterations).point * scale
