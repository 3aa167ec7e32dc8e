"""What the physics does for accelerators computes the same as what it does for CPUs; here both run on a CPU."""

import sys
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from newton_problems import problems

import envs
from envs.batching import work_queue
from envs.physics import newton, newton_triton
from envs.physics.collision_boxes import box_box
from envs.physics.contact import Box
from envs.physics.linalg import add_up
from envs.physics.newton import minimize


@pytest.mark.parametrize("terms", [1, 2, 9, 21, 430])
def test_sums(both, terms: int) -> None:
    both(add_up, jax.random.normal(jax.random.PRNGKey(0), (terms, 5)), tolerance=1e-5)


def test_newtons_method(both) -> None:
    both(lambda problem: minimize(problem, jnp.zeros((6, 7)), 20), problems(4, 6, 7), tolerance=1e-5)


@pytest.mark.parametrize(("size", "contacts"), [(9, 10), (17, 2)])
def test_the_kernel_finds_what_newtons_method_finds(size: int, contacts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = problems(contacts, size, 3)
    expected = jax.jit(lambda problem: minimize(problem, jnp.zeros((size, 3)), 20))(problem)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(newton_triton, "run_newton", partial(newton_triton.run_newton, interpret=True))
    found = jax.jit(partial(lambda problem: minimize(problem, jnp.zeros((size, 3)), 20)))(problem)
    assert np.ptp(expected, axis=1).min() > 1e-3, "nothing to solve"
    np.testing.assert_allclose(found, expected, atol=3e-6)


def test_without_the_kernel_a_gpu_takes_the_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert newton._kernel() is newton_triton.run_newton
    monkeypatch.setitem(sys.modules, "envs.physics.newton_triton", None)
    assert newton._kernel() is None


def test_boxes_that_meet_and_boxes_apart(both) -> None:
    axes = jnp.broadcast_to(jnp.eye(3)[..., None], (3, 3, 2))
    first = Box(jnp.zeros((3, 2)), axes, jnp.full((3, 2), 0.05))
    second = Box(jnp.array([[0.14, 0.3], [0.02, 0.0], [0.0, 0.0]]), axes, jnp.full((3, 2), 0.1))
    both(lambda *boxes: box_box(*boxes).distance, first, second)


def test_loops_of_different_lengths(both) -> None:
    run = partial(work_queue.run_loops, lambda job: job, lambda left: jnp.maximum(left - 1, 0), lambda left: left == 0)
    jobs = jax.random.randint(jax.random.PRNGKey(0), (70,), 1, 60)
    both(run, jobs)
    assert np.all(np.asarray(run(jobs)) == 0)


@pytest.mark.slow
def test_an_env_step(both) -> None:
    """Environments started beside a vase, so that they touch it within some steps."""
    vector = envs.vectorize(envs.make("SafetyPointGoal1-v0"), 8)
    state = vector.reset(jax.random.PRNGKey(0))
    world = state.pipeline_state
    beside = world.bodies.position[:, 0, :2] - jnp.array([0.22, 0.0])
    robot = world.robot.replace(position=beside, yaw=jnp.zeros(8))
    state = state.replace(pipeline_state=world.replace(robot=robot))

    def steps(state: Any) -> Any:
        fresh = envs.vectorize(envs.make("SafetyPointGoal1-v0"), 8)
        ahead = jnp.tile(jnp.array([1.0, 0.0]), (8, 1))
        state, _ = jax.lax.scan(lambda state, _: (fresh.step(state, ahead), None), state, None, length=4)
        return state.pipeline_state.robot.position, state.pipeline_state.bodies.position

    moved = np.asarray(jax.jit(steps)(state)[1]) - np.asarray(world.bodies.position)
    assert np.abs(moved).max() > 1e-3, "no vase was touched"
    both(steps, state, tolerance=1e-4)
