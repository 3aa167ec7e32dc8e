"""The ports by Gymnasium's rules: its own checks pass, and vectors begin episodes as it has it."""

import subprocess
import sys
import warnings

import gymnasium
import jax
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import envs
from envs import gymnasium_ids
from envs.adapters.vector_env import GymnasiumVector

ID = "cvpo_jax/SafetyPointCircle1-v0"
LENGTH = 5


@pytest.fixture(scope="module")
def vector():
    return gymnasium.make_vec(ID, num_envs=3, max_episode_steps=LENGTH)


def test_all_ids_and_their_lengths_are_those_of_the_ports():
    lengths = gymnasium_ids.lengths()
    assert set(lengths) == set(envs.task_ids())
    for task_id, steps in lengths.items():
        spec = gymnasium.spec(f"cvpo_jax/{task_id}")
        assert spec.max_episode_steps == steps and spec.vector_entry_point
        if "Velocity" not in task_id:
            assert envs.make(task_id).episode_length == steps


def test_gymnasium_s_own_checks_pass():
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="(?!.*infinity|.*spec).*", module="gymnasium")
        env = gymnasium.make(ID, render_mode="rgb_array")
        check_env(env.unwrapped)


def test_a_single_environment_has_costs_in_info_and_ends_by_its_limit():
    env = gymnasium.make(ID, max_episode_steps=LENGTH)
    observation, info = env.reset(seed=3)
    assert observation in env.observation_space and info == {}
    for step in range(LENGTH):
        observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
        assert observation.shape == (28,) and isinstance(reward, float) and terminated is False
        assert truncated is (step == LENGTH - 1)
        assert info["cost"] in (0.0, 1.0) and info["cost"] == min(1.0, sum(info.values()) - info["cost"])
    np.testing.assert_array_equal(env.reset(seed=3)[0], gymnasium.make(ID).reset(seed=3)[0])
    assert (env.reset(seed=4)[0] != env.reset(seed=3)[0]).any()
    drawn = gymnasium.make(ID, render_mode="rgb_array")
    drawn.reset()
    assert drawn.render().shape == (480, 480, 3) and drawn.render().dtype == np.uint8


@pytest.mark.optimized  # compiles the vector for the next one
def test_a_vector_begins_episodes_in_the_step_that_ends_the_old(vector):
    assert vector.metadata["autoreset_mode"] == gymnasium.vector.AutoresetMode.SAME_STEP
    start, info = vector.reset(seed=0)
    assert start in vector.observation_space and start.dtype == np.float32 and info == {}
    for step in range(LENGTH):
        observations, rewards, terminations, truncations, info = vector.step(np.ones((3, 2), np.float32))
        assert observations.shape == (3, 28) and rewards.shape == (3,) and not terminations.any()
        assert truncations.all() == (step == LENGTH - 1) and truncations.any() == truncations.all()
        assert info["cost"].shape == (3,) and info["_cost"].all()
        assert ("final_obs" in info) == truncations.any()
    assert all(final in vector.single_observation_space for final in info["final_obs"])
    assert info["_final_obs"].all() and info["_final_info"].all()
    np.testing.assert_array_equal(info["final_info"]["cost"], info["cost"])
    np.testing.assert_array_equal(observations[:, 3:9], 0, "at rest")
    assert (np.stack(info["final_obs"])[:, 3:5] != 0).any(), "the old episode's robots move"
    assert (observations != start).any(1).all(), "a new layout each episode"


@pytest.mark.optimized
def test_a_vector_s_steps_are_those_of_single_environments(vector):
    vector.reset(seed=0)
    vector.step(np.ones((3, 2)))
    alone = envs.make("SafetyPointCircle1-v0", episode_length=LENGTH)
    state = jax.tree.map(lambda leaf: leaf[1], vector._state)
    expected = jax.jit(alone.step)(state, np.full(2, -0.5, np.float32))
    observations, rewards, *_, info = vector.step(np.full((3, 2), -0.5))
    np.testing.assert_allclose(observations[1], expected.obs, atol=1e-5)
    assert rewards[1] == pytest.approx(float(expected.reward), abs=1e-5)
    assert info["cost"][1] == float(expected.info["cost"][0])


def test_seeds_and_masks_of_a_vector(vector):
    first, _ = vector.reset(seed=7)
    again, _ = vector.reset(seed=7)
    np.testing.assert_array_equal(first, again)
    following, _ = vector.reset()
    assert (following != first).any()
    each, _ = vector.reset(seed=[1, 2, 3])
    np.testing.assert_array_equal(each, vector.reset(seed=[1, 2, 3])[0])
    assert (each != vector.reset(seed=[1, 2, 4])[0]).any()
    stepped, *_ = vector.step(np.ones((3, 2)))
    begun, _ = vector.reset(options={"reset_mask": np.array([True, False, True])})
    np.testing.assert_array_equal(begun[1], stepped[1])
    assert (begun[[0, 2]] != stepped[[0, 2]]).any(1).all()


def test_what_is_returned_may_be_written_to(vector):
    observation, _ = vector.reset(seed=0)
    stepped = vector.step(np.zeros((3, 2)))
    for array in (observation, *stepped[:4], stepped[4]["cost"]):
        array[:] = 0


def test_options_are_those_of_the_ports_and_bad_ones_are_refused():
    env = gymnasium.make("cvpo_jax/SafetyPointGoal1-v0", hazards=3)
    assert env.unwrapped._env.task.kind("hazards").count == 3
    for options, words in [
        ({"hazrads": 3}, "hazards"),
        ({"constraints": ("cost_hazards",)}, "info has the cost"),
    ]:
        with pytest.raises(ValueError, match=words):
            gymnasium.make("cvpo_jax/SafetyPointGoal1-v0", **options)
    with pytest.raises(ValueError, match='render_mode is "rgb_array": SafetyHopperVelocity-v1 knows none'):
        gymnasium.make("cvpo_jax/SafetyHopperVelocity-v1", render_mode="rgb_array")
    with pytest.raises(ValueError, match="vectors are not drawn"):
        gymnasium.make_vec("cvpo_jax/SafetyPointGoal1-v0", num_envs=2, render_mode="rgb_array")


@pytest.mark.parametrize("order", ["import gymnasium, envs", "import envs, gymnasium"])
def test_importing_envs_is_enough_and_needs_no_jax(order):
    code = f"""
import sys
{order}
gymnasium.spec("cvpo_jax/SafetyPointGoal1-v0")
print("jax" in sys.modules)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"


def test_without_any_import_gymnasium_takes_the_module_in_the_id():
    code = """
import gymnasium
print(gymnasium.make("envs:cvpo_jax/SafetyPointGoal1-v0").action_space.shape)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "(2,)\n"


@pytest.mark.parametrize("mode", ["port", "sync"])
def test_it_can_be_trained_on_as_anyone_s_vector(mode):
    kind = None if mode == "port" else "sync"
    made = GymnasiumVector(
        lambda: gymnasium.make_vec(ID, num_envs=2, vectorization_mode=kind, max_episode_steps=LENGTH), 2, name="my:port"
    )
    made.reset(np.arange(2, dtype=np.uint32))
    ends = []
    for _ in range(2 * (LENGTH + 1)):
        made.step(np.ones((2, 2)))
        ends.append(bool(made.arrays.truncated.all()))
    assert np.diff(np.flatnonzero(ends)).tolist() == [made.spec.episode_length]
