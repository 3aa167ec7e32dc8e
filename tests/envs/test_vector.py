"""The environments' protocol: structure, time limits, automatic new episodes, options, Brax's wrappers."""

import brax.envs
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from brax.envs import State
from brax.envs.wrappers import training
from toy import Walk

import envs
from envs.base import episode_of, select_costs, with_episode
from envs.staggering import PHASES

IDS = tuple(task_id for task_id in envs.task_ids() if "Velocity" not in task_id and "Car" not in task_id)
SHORT = 7


@pytest.fixture(scope="module")
def vector() -> tuple:
    env = envs.vectorize(envs.make("SafetyPointGoal0-v0", episode_length=SHORT), 3)
    return env, jax.jit(env.reset), jax.jit(env.step)


def assert_agree_in_structure(env, key: jax.Array, actions: jax.Array) -> State:
    """A step's result is laid out as what a reset returns, and so fits as the carry of a loop; returns the latter."""
    state = jax.eval_shape(env.reset, key)
    stepped = jax.eval_shape(env.step, state, actions)
    assert jax.tree.structure(state) == jax.tree.structure(stepped)
    assert jax.tree.map(lambda x: (x.shape, x.dtype), state) == jax.tree.map(lambda x: (x.shape, x.dtype), stepped)
    return state


@pytest.mark.parametrize("task_id", IDS)
def test_reset_and_step_agree_in_structure(task_id: str) -> None:
    env = envs.make(task_id)
    state = assert_agree_in_structure(env, jax.random.PRNGKey(0), jnp.zeros(env.action_size))
    assert state.obs.shape == (env.observation_size,)
    assert state.info["cost"].shape == (env.num_constraints,)


def test_so_do_those_of_a_vector() -> None:
    """Of one task, since tracing the physics of several copies takes seconds, and this is the same for all tasks."""
    env = envs.vectorize(envs.make("SafetyPointButton1-v0"), 2)
    state = assert_agree_in_structure(env, jax.random.PRNGKey(0), jnp.zeros((2, env.action_size)))
    assert state.obs.shape == (2, env.observation_size)
    assert state.info["cost"].shape == (2, env.num_constraints)


def test_observation_sizes_are_the_originals() -> None:
    sizes = {
        name: envs.make(f"SafetyPoint{name}-v0").observation_size for name in ("Goal1", "Button1", "Circle1", "Goal0")
    }
    assert sizes == {"Goal1": 60, "Button1": 76, "Circle1": 28, "Goal0": 28}


def test_an_ended_episode_reports_its_last_step_and_shows_the_next(vector: tuple) -> None:
    env, reset, step = vector
    state = reset(jax.random.PRNGKey(0))
    first = state
    for index in range(SHORT):
        previous, state = state, step(state, jnp.ones((3, 2)))
        np.testing.assert_array_equal(state.info["truncation"], float(index == SHORT - 1))
        np.testing.assert_array_equal(state.done, 0.0)
    assert np.all(episode_of(state).steps == 0) and np.all(episode_of(previous).steps == SHORT - 1)
    assert np.all(state.reward != 0.0)
    goals = (state.pipeline_state.objects["goal"], first.pipeline_state.objects["goal"])
    assert np.all(np.any(np.asarray(goals[0] != goals[1]), axis=(1, 2))), "a new layout each episode"
    np.testing.assert_array_equal(state.obs[:, 3:9], 0.0)  # at rest
    # Two programs round differently: a unit in the last place.
    np.testing.assert_allclose(state.obs, jax.jit(jax.vmap(env.env.observe))(state.pipeline_state), atol=1e-6)


def test_staggered_episodes_are_spread_over_the_phases() -> None:
    env = envs.vectorize(Walk(32), 2 * PHASES, staggered=True)

    def step(state: State, _: None) -> tuple[State, jax.Array]:
        state = env.step(state, jnp.zeros((env.num_envs, 1)))
        return state, state.info["truncation"]

    _, cut = jax.lax.scan(step, env.reset(jax.random.PRNGKey(0)), None, length=64)
    first = np.argmax(cut, axis=0) + 1
    np.testing.assert_array_equal(np.sort(first[:PHASES]), np.arange(2, 34, 2))
    np.testing.assert_array_equal(first[PHASES:], first[:PHASES])
    np.testing.assert_array_equal(np.sort(first[:4]), [8, 16, 24, 32])  # so are any few
    # After the first, every episode is whole, and each step that ends any ends one copy of each half.
    np.testing.assert_array_equal(cut[32:], cut[:32])
    np.testing.assert_array_equal(np.unique(cut.sum(1)), [0.0, 2.0])


def test_episodes_are_reproducible_from_their_key(vector: tuple) -> None:
    _, reset, step = vector

    def rollout(seed: int) -> list[np.ndarray]:
        state, rewards = reset(jax.random.PRNGKey(seed)), []
        for _ in range(SHORT + 2):
            state = step(state, jnp.ones((3, 2)))
            rewards.append(np.asarray(state.reward))
        return rewards

    np.testing.assert_array_equal(rollout(5), rollout(5))
    assert np.any(np.asarray(rollout(5)) != np.asarray(rollout(6)))


def test_a_fixed_layout_is_the_same_in_all_episodes() -> None:
    env = envs.vectorize(envs.make("SafetyPointGoal1-v0", layout="fixed", seed=3), 2)
    states = [jax.jit(env.reset)(jax.random.PRNGKey(seed)) for seed in (0, 1)]
    np.testing.assert_array_equal(states[0].obs, states[1].obs)
    np.testing.assert_array_equal(states[0].obs[0], states[0].obs[1])
    other = envs.vectorize(envs.make("SafetyPointGoal1-v0", layout="fixed", seed=4), 2)
    assert np.any(np.asarray(jax.jit(other.reset)(jax.random.PRNGKey(0)).obs != states[0].obs))


def test_constraints_choose_the_components_of_the_cost() -> None:
    components = {"cost_a": jnp.float32(1.0), "cost_b": jnp.float32(0.0), "cost_c": jnp.float32(1.0)}
    np.testing.assert_array_equal(select_costs(components, ("cost_b", "cost_c")), [0.0, 1.0])
    np.testing.assert_array_equal(select_costs(components, ()), [1.0])
    np.testing.assert_array_equal(select_costs({}, ()), [0.0])
    env = envs.make("SafetyPointButton1-v0", constraints=("cost_gremlins", "cost_hazards"))
    assert env.num_constraints == 2
    assert jax.eval_shape(env.reset, jax.random.PRNGKey(0)).info["cost"].shape == (2,)


def test_the_button_timer_at_reset_is_an_option() -> None:
    env = envs.make("SafetyPointButton1-v0", initial_timer=10)
    state = jax.jit(env.reset)(jax.random.PRNGKey(0))
    np.testing.assert_array_equal(state.obs[12:28], 0.0)
    plain = jax.jit(envs.make("SafetyPointButton1-v0").reset)(jax.random.PRNGKey(0))
    assert np.max(plain.obs[12:28]) > 0.0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: envs.make("SafetyPointGaol1-v0"), "SafetyPointGoal1-v0"),
        (lambda: envs.make("SafetyPointGoal1-v0", layuot="fixed"), "layout"),
        (lambda: envs.make("SafetyPointGoal1-v0", layout="always"), "random"),
        (lambda: envs.make("SafetyPointGoal1-v0", constraints=("cost_gremlins",)), "cost_hazards"),
        (lambda: envs.make("SafetyPointGoal1-v0", backend="mujoco"), "gymnasium"),
        (lambda: envs.vectorize(envs.make("SafetyPointGoal1-v0"), 0), "at least 1"),
    ],
)
def test_bad_requests_get_one_line_with_the_remedy(call, words: str) -> None:
    with pytest.raises(ValueError) as error:
        call()
    assert words in str(error.value) and "\n" not in str(error.value)


def test_brax_wrappers_count_the_same_steps() -> None:
    env = brax.envs.get_environment("SafetyPointCircle1-v0")
    wrapped = training.EpisodeWrapper(env, SHORT, 1)
    state, step = jax.jit(wrapped.reset)(jax.random.PRNGKey(0)), jax.jit(wrapped.step)
    for index in range(SHORT):
        state = step(state, jnp.zeros(2))
        assert state.info["steps"] == index + 1 and state.done == float(index == SHORT - 1)


def test_pressing_the_goal_button_is_rewarded_and_starts_the_timer() -> None:
    env = envs.make("SafetyPointButton0-v0")
    state = jax.jit(env.reset)(jax.random.PRNGKey(0))
    world, step = state.pipeline_state, jax.jit(env.step)
    beside = world.objects["goal"][0] - jnp.array([0.21, 0.0])
    robot = world.robot.replace(position=beside, yaw=jnp.float32(jnp.pi / 2), velocity=jnp.array([1.0, 0.0]))
    pressed = step(state.replace(pipeline_state=world.replace(robot=robot)), jnp.zeros(2))
    assert pressed.reward > 1.0 and pressed.pipeline_state.memory["timer"] == 10
    np.testing.assert_array_equal(pressed.obs[12:28], 0.0)  # the buttons are invisible now
    assert pressed.pipeline_state.robot.velocity[0] < 0.5, "the button is solid"
    missed = step(state, jnp.zeros(2))
    assert abs(missed.reward) < 1e-3 and missed.pipeline_state.memory["timer"] == 0


def test_a_longer_control_step_is_several_physics_steps() -> None:
    slow, fast = (envs.make("SafetyPointRun0-v0", control_step=seconds) for seconds in (0.06, None))
    world = fast.reset(jax.random.PRNGKey(0)).pipeline_state
    action, move = jnp.array([0.3, -0.2]), jax.jit(fast.move)
    expected = move(move(move(world, action), action), action)
    moved = jax.jit(slow.move)(world, action)
    assert slow.control_step == pytest.approx(0.06) and moved.steps == 1
    np.testing.assert_allclose(moved.robot.position, expected.robot.position, atol=1e-6)
    with pytest.raises(ValueError, match="multiple"):
        envs.make("SafetyPointRun0-v0", control_step=0.061)


def test_a_control_step_need_not_be_a_multiple_of_ten_substeps() -> None:
    odd = envs.make("SafetyPointButton0-v0", control_step=0.05)  # 25 substeps
    whole = envs.make("SafetyPointButton0-v0", control_step=0.1)
    world = whole.reset(jax.random.PRNGKey(0)).pipeline_state
    # It starts in front of a button, so that the contacts' substeps count as well.
    button = world.objects["buttons"][0]
    world = world.replace(robot=world.robot.replace(position=button - jnp.array([0.3, 0.0]), yaw=jnp.zeros(())))
    action, move, leap = jnp.array([1.0, 0.0]), jax.jit(odd.move), jax.jit(whole.move)
    twice, once = world, world
    for _ in range(10):
        twice, once = move(move(twice, action), action), leap(once, action)
    np.testing.assert_allclose(twice.robot.position, once.robot.position, atol=1e-5)
    np.testing.assert_allclose(twice.robot.velocity, once.robot.velocity, atol=1e-4)
    assert float(once.robot.position[0]) > float(world.robot.position[0]) + 0.01


def test_a_car_of_the_papers_control_step_drives_as_one_stepped_ten_by_ten() -> None:
    slow, fast = (envs.make("SafetyCarRun0-v0", control_step=seconds) for seconds in (0.1, None))
    state = jax.jit(fast.reset)(jax.random.PRNGKey(0))
    action, move = jnp.array([1.0, 0.9]), jax.jit(fast.move)
    world = state.pipeline_state
    for _ in range(5):  # past the first contacts with the floor, which rest on rounding
        world = move(world, action)
    expected, moved = world, world
    for _ in range(5):
        expected = move(expected, action)
    for _ in range(2):
        moved = jax.jit(slow.move)(moved, action)
    assert slow.control_step == pytest.approx(0.1)
    np.testing.assert_allclose(moved.robot.position, expected.robot.position, atol=2e-5)
    np.testing.assert_allclose(moved.robot.velocity, expected.robot.velocity, atol=2e-3)
    assert float(jnp.abs(moved.robot.position - world.robot.position).max()) > 1e-3


def test_an_environment_tells_its_options() -> None:
    assert {"layout", "initial_timer", "hazards", "gremlin_travel"} <= set(envs.option_names("SafetyPointButton1-v0"))
    assert "hazards" not in envs.option_names("SafetyCarCircle1-v0")
    assert envs.option_names("SafetyAntVelocity-v1") == ("episode_length",)
    with pytest.raises(ValueError, match="SafetyPointGoal1-v0"):
        envs.option_names("SafetyPointGaol1-v0")


def test_the_papers_hazards_are_options() -> None:
    env = envs.make("SafetyPointButton1-v0", hazards=5, hazard_size=0.17)
    world = jax.eval_shape(env.reset, jax.random.PRNGKey(0)).pipeline_state
    assert world.objects["hazards"].shape == (5, 2) and env.task.kind("hazards").size == 0.17


def test_each_new_episode_is_its_own_environment_s_however_many_begin_at_once() -> None:
    """More than are computed together begin here, in one step and not all of them."""
    env = envs.vectorize(Walk(32), 40)
    state = env.reset(jax.random.PRNGKey(0))
    ends = jnp.arange(40) % 8 != 3
    cut = with_episode(state, episode_of(state).replace(length=jnp.where(ends, 1, 99)))
    after = jax.jit(env.step)(cut, jnp.ones((40, 1)))
    begun = jax.vmap(lambda key: env.env.reset(jax.random.split(key)[0]))(episode_of(state).key)
    expected = np.where(np.asarray(ends)[:, None], begun.obs, state.obs + 1)
    np.testing.assert_array_equal(after.obs, expected)
    np.testing.assert_array_equal(episode_of(after).steps, np.where(ends, 0, 1))
    np.testing.assert_array_equal(episode_of(after).length, np.where(ends, 32, 99))
    assert len(np.unique(np.asarray(episode_of(after).key), axis=0)) == 40
