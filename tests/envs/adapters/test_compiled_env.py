"""Environments of Brax and MuJoCo Playground in the compiled loop: their own state, costs, observations, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from own_compiled import (
    LENGTH,
    Playground,
    Point,
    cartpole,
    inverted_pendulum,
    playground,
    playground_parts,
    wrapped,
)

from envs.adapters.compiled_env import CompiledEnv, SelectedCosts
from envs.base import episode_of
from envs.vector import CompiledVectorEnv

NUM_ENVS = 3


def make(env, **options):
    return CompiledEnv(env, name="my:env", **options)


def roll(env, steps, **options):
    """The vector's states after each of `steps` steps, and the one at the start."""
    vector = CompiledVectorEnv(env, NUM_ENVS, **options)
    state = jax.jit(vector.reset)(jax.random.PRNGKey(0))

    def step(state, _):
        state = vector.step(state, jnp.full((NUM_ENVS, vector.action_size), 0.25))
        return state, state

    return state, jax.jit(lambda state: jax.lax.scan(step, state, None, length=steps)[1])(state)


def refusal(env, **options):
    with pytest.raises(ValueError) as error:
        make(env, **options)
    assert "\n" not in str(error.value) and str(error.value).startswith("my:env")
    return str(error.value)


def test_all_of_the_environment_s_own_info_begins_anew_with_each_episode():
    start, states = roll(make(Point()), 2 * LENGTH + 1)
    own = states.pipeline_state.info
    counts = [*range(1, LENGTH), 0] * 2 + [1]
    np.testing.assert_array_equal(own["steps"], np.array(counts)[:, None] + np.zeros(NUM_ENVS))
    np.testing.assert_array_equal(own["length"][:, 0], np.array(counts)[:, None] + np.zeros(3))
    np.testing.assert_array_equal(own["table"], np.zeros((2 * LENGTH + 1, NUM_ENVS, 1)) + np.arange(3))
    np.testing.assert_array_equal(episode_of(states).steps[:, 0], counts)
    np.testing.assert_array_equal(states.info["truncation"][:, 0], np.array(counts) == 0)
    keys = np.asarray(own["key"])
    assert (keys[0] == np.asarray(start.pipeline_state.info["key"])).all() and (keys[LENGTH] != keys[0]).any(-1).all()
    assert own["cost_components"]["mine"].shape == (2 * LENGTH + 1, NUM_ENVS, 4)
    assert own["typed"].dtype == jnp.uint32, "a key is kept as numbers, which can be saved"


def test_the_last_step_of_an_episode_reports_its_cost_and_reward():
    _, states = roll(make(Point(ends=4)), 4)
    np.testing.assert_array_equal(states.done, [[0] * NUM_ENVS] * 3 + [[1] * NUM_ENVS])
    np.testing.assert_array_equal(states.info["truncation"], 0)
    np.testing.assert_array_equal(states.reward, 0.5)
    # Costs grow by what both coordinates moved, and that of the last step is none of the new episode's.
    np.testing.assert_allclose(np.diff(states.info["cost"][..., 0], axis=0), 0.5, rtol=1e-5)
    assert (states.obs[-1].sum(-1) < states.info["cost"][-1, :, 0]).all()


@pytest.mark.parametrize(
    ("costs", "names"),
    [("info", ("cost",)), ("metrics", ("cost",)), ("parts", ("cost_a", "cost_b")), ("parts and total", ("cost_a",))],
)
def test_costs_of_info_and_metrics(costs, names):
    env = make(Point(costs=costs))
    assert env.cost_names == names and env.num_constraints == 1
    stepped = jax.jit(env.step)(jax.jit(env.reset)(jax.random.PRNGKey(0)), jnp.ones(2))
    cost = float(jnp.abs(stepped.obs).sum())
    assert set(stepped.info["cost_components"]) == set(names)
    assert stepped.info["cost"][0] == pytest.approx(0.75 * cost if costs == "parts" else cost)


def test_constraints_choose_components():
    env = make(Point(costs="parts"), constraints=("cost_b", "cost_a"))
    stepped = jax.jit(env.step)(jax.jit(env.reset)(jax.random.PRNGKey(0)), jnp.ones(2))
    cost = float(jnp.abs(stepped.obs).sum())
    np.testing.assert_allclose(stepped.info["cost"], [cost / 4, cost / 2], rtol=1e-6)
    selected = SelectedCosts(env, ("cost_a",))
    np.testing.assert_allclose(selected.step(stepped, jnp.zeros(2)).info["cost"], [cost / 2], rtol=1e-6)
    assert "cost_c" in refusal(Point(costs="parts"), constraints=("cost_c",))
    with pytest.raises(ValueError, match='"cost_c" is not among the costs here: cost_a, cost_b'):
        SelectedCosts(env, ("cost_c",))


def test_with_cost_of_playground_s_interface():
    start, states = roll(make(playground()), LENGTH + 2)
    assert make(playground()).cost_names == ("cost",)
    np.testing.assert_allclose(states.info["cost"], 0.25)
    np.testing.assert_array_equal(start.info["cost"], 0)
    np.testing.assert_array_equal(states.pipeline_state.info["step"][:, 0], [1, 2, 3, 4, 5, 0, 1, 2])
    env = make(playground_parts())
    assert env.cost_names == ("cost_is", "cost_was")
    state = jax.jit(env.reset)(jax.random.PRNGKey(0))
    stepped = jax.jit(env.step)(state, jnp.ones(1))
    parts = stepped.info["cost_components"]
    assert parts["cost_was"] == pytest.approx(state.obs[0]) and parts["cost_is"] == pytest.approx(stepped.obs[0])
    assert stepped.info["cost"][0] == pytest.approx(state.obs[0] + stepped.obs[0])


@pytest.mark.parametrize(("env", "length"), [(cartpole, None), (inverted_pendulum, 50)])
def test_environments_of_playground_and_brax_fit(env, length):
    adapted = make(env(), episode_length=length)
    start = jax.eval_shape(adapted.reset, jax.random.PRNGKey(0))
    stepped = jax.eval_shape(adapted.step, start, jnp.zeros(adapted.action_size))
    assert jax.tree.structure(start) == jax.tree.structure(stepped)
    assert jax.tree.map(lambda x: (x.shape, x.dtype), start) == jax.tree.map(lambda x: (x.shape, x.dtype), stepped)
    assert adapted.cost_names == ("cost",) and adapted.episode_length == (length or 1000)


def test_entries_of_dictionary_observations():
    assert make(playground()).observation_size == 1, "state, where privileged_state stands beside it"
    assert make(playground(), observation_key="privileged_state").observation_size == 2
    both = make(playground(entries=("b", "a", "c")))
    assert both.observation_size == 6
    assert "entries privileged_state, state" in refusal(playground(), observation_key="joints")
    assert "no dictionary" in refusal(Point(), observation_key="joints")


def test_time_limits():
    assert make(playground()).episode_length == LENGTH
    assert make(Point(), episode_length=3).episode_length == 3
    assert "no time limit: give --episode_length" in refusal(Point(length=None))
    env = make(wrapped("episode"))
    assert env.episode_length == LENGTH
    _, states = roll(env, LENGTH)
    np.testing.assert_array_equal(states.done, 0, "Brax says done where time is up")
    np.testing.assert_array_equal(states.info["truncation"][:, 0], [0] * (LENGTH - 1) + [1])


@pytest.mark.parametrize(
    ("env", "words"),
    [
        (wrapped("vmap"), ["VmapWrapper"]),
        (wrapped("autoreset"), ["AutoResetWrapper"]),
        (Point(fault="batched"), ["state.reward", "shape ()", "shape (2,)"]),
        (Point(fault="step only"), ["state.info['cost']", "nothing", "the same arrays"]),
        (Point(fault="picture"), ["pictures", "(8, 8, 3)"]),
        (Point(costs="none"), ["no cost", "with_cost"]),
        (Playground(), ["no cost", "with_cost"]),
    ],
)
def test_what_cannot_be_compiled_gets_one_line(env, words):
    said = refusal(env)
    assert all(word in said for word in words), said


def test_code_that_raises_is_named_with_its_line(monkeypatch):
    monkeypatch.setattr(Point, "step", lambda self, state, action: 1 / 0)
    said = refusal(Point())
    assert "step(state, action) cannot be compiled: ZeroDivisionError" in said and "test_compiled_env.py:" in said
    monkeypatch.setattr(Point, "reset", lambda self, rng: rng)
    assert "without obs, reward, done, info" in refusal(Point())


def test_episodes_of_a_vector_are_those_of_the_environment_alone():
    env = make(Point())
    start, states = roll(env, LENGTH)
    take = jax.jit(env.step)
    for row in range(NUM_ENVS):
        alone = jax.tree.map(lambda leaf, row=row: leaf[row], start)
        for step in range(LENGTH - 1):
            alone = take(alone, jnp.full(2, 0.25))
            np.testing.assert_allclose(alone.obs, states.obs[step, row], rtol=1e-6)
    begun = jax.vmap(lambda key: env.reset(jax.random.split(key)[0]))(episode_of(start).key)
    np.testing.assert_array_equal(states.obs[-1], begun.obs)
