"""The constraint solver: optimality, independence of environments, a known resting force."""

import jax
import jax.numpy as jnp
import numpy as np
from newton_problems import random_problem

from envs.physics.newton import Problem, minimize, solve_positive


def objective(problem: Problem, point: jax.Array) -> jax.Array:
    base = problem.jacobian @ point + problem.offset
    tangent = problem.friction * base[:, 1:]
    edges = jnp.concatenate([base[:, :1] + tangent, base[:, :1] - tangent], axis=1)
    contact = jnp.sum(problem.stiffness[:, None] * jnp.square(jnp.minimum(edges, 0)))
    return 0.5 * point @ problem.mass @ point - problem.force @ point + 0.5 * contact


def test_the_gradient_vanishes_at_the_solution():
    with jax.enable_x64(True):
        problems = jax.vmap(lambda key: random_problem(key, 3, 5))(jax.random.split(jax.random.PRNGKey(0), 20))
        points = jax.jit(jax.vmap(lambda problem: minimize(problem, jnp.zeros(5), 15)))(problems)
        gradients = jax.jit(jax.vmap(jax.grad(objective, argnums=1)))(problems, points)
    assert gradients.dtype == np.float64
    assert np.abs(np.asarray(gradients)).max() < 1e-9
    assert np.abs(np.asarray(points)).min() > 1e-6, "nothing to solve"


def test_environments_along_the_last_axis_are_solved_each_for_itself():
    keys = jax.random.split(jax.random.PRNGKey(3), 7)
    with jax.enable_x64(True):
        problems = jax.vmap(lambda key: random_problem(key, 4, 6))(keys)
        together = jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 0, -1), problems)
        found = np.asarray(jax.jit(lambda problem: minimize(problem, jnp.zeros((6, 7)), 20))(together))
        alone = jax.jit(jax.vmap(lambda problem: minimize(problem, jnp.zeros(6), 20)))(problems)
    np.testing.assert_allclose(found.T, alone, atol=1e-10)
    assert np.ptp(found, axis=1).min() > 1e-3


def test_a_weight_on_one_contact_rests_where_the_edges_carry_it():
    mass, gravity, stiffness = 2.0, 9.81, 5.0
    jacobian = jnp.zeros((1, 6, 1)).at[0, 0, 0].set(1.0)
    problem = Problem(
        mass=jnp.array([[mass]]),
        force=jnp.array([-mass * gravity]),
        jacobian=jacobian,
        offset=jnp.zeros((1, 6)),
        stiffness=jnp.array([stiffness]),
        friction=jnp.ones((1, 5)),
    )
    found = minimize(problem, jnp.zeros(1), 3)
    np.testing.assert_allclose(found, [-mass * gravity / (mass + 10 * stiffness)], rtol=1e-6)


def test_elimination_solves_positive_definite_systems():
    root = np.random.default_rng(0).normal(size=(9, 9))
    matrix, vector = root @ root.T + np.eye(9), np.arange(9.0)
    found = jax.jit(solve_positive)(jnp.column_stack([matrix, vector]))
    np.testing.assert_allclose(found, np.linalg.solve(matrix, vector), rtol=2e-3, atol=1e-4)
