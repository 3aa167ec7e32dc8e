"""Velocity tasks: the limit is on the right velocity, episodes end in time or by a fall."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from brax.envs import Env, State

import envs
from envs.velocity import LIMITS, Limit, VelocityEnv


class Glider(Env):
    """Moves at the velocity it is told; falls when told to go back."""

    observation_size = 2
    action_size = 2
    backend = "none"

    def reset(self, rng: jax.Array) -> State:
        zero = jnp.zeros(())
        metrics = {"x_velocity": zero, "y_velocity": zero}
        return State(pipeline_state=jnp.zeros(2), obs=jnp.zeros(2), reward=zero, done=zero, metrics=metrics)

    def step(self, state: State, action: jax.Array) -> State:
        position = state.pipeline_state + action
        metrics = {"x_velocity": action[0], "y_velocity": action[1]}
        fallen = (action[0] < 0).astype(jnp.float32)
        return state.replace(pipeline_state=position, obs=position, reward=action[0], done=fallen, metrics=metrics)


@pytest.mark.parametrize(("planar", "costs"), [(False, [0, 1, 0]), (True, [0, 1, 1])])
def test_cost_is_the_limited_velocity(planar: bool, costs: list[int]) -> None:
    env = VelocityEnv(Glider(), Limit("glider", 1.0, planar=planar))
    state = env.reset(jax.random.PRNGKey(0))
    velocities = [(0.9, 0.0), (1.1, 0.0), (0.9, 0.9)]
    assert [float(env.step(state, jnp.array(velocity)).info["cost"][0]) for velocity in velocities] == costs


def test_time_limit_and_fall_are_told_apart() -> None:
    env = envs.vectorize(VelocityEnv(Glider(), Limit("glider", 1.0), episode_length=2), 2)
    state, step = env.reset(jax.random.PRNGKey(0)), jax.jit(env.step)
    state = step(state, jnp.array([[-1.0, 0.0], [1.0, 0.0]]))
    np.testing.assert_array_equal(state.done, [1.0, 0.0])
    np.testing.assert_array_equal(state.info["truncation"], [0.0, 0.0])
    np.testing.assert_array_equal(state.pipeline_state.steps, [0, 1])
    state = step(state, jnp.array([[1.0, 0.0], [1.0, 0.0]]))
    np.testing.assert_array_equal(state.info["truncation"], [0.0, 1.0])
    np.testing.assert_array_equal(state.obs[:, 0], [1.0, 0.0])


def test_all_six_bodies_are_registered() -> None:
    assert {f"Safety{name}Velocity-v1" for name in LIMITS} <= set(envs.task_ids())
    assert LIMITS["Ant"].speed == 2.6222 and LIMITS["Swimmer"].speed == 0.2282


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(LIMITS))
def test_brax_bodies_step(name: str) -> None:
    env = envs.vectorize(envs.make(f"Safety{name}Velocity-v1", episode_length=3), 2)
    state, step = jax.jit(env.reset)(jax.random.PRNGKey(0)), jax.jit(env.step)
    structure = jax.tree.structure(state)
    for _ in range(3):
        state = step(state, jnp.zeros((2, env.action_size)))
    assert jax.tree.structure(state) == structure
    assert np.all(np.isfinite(state.obs)) and np.all(np.maximum(state.done, state.info["truncation"]) == 1.0)
