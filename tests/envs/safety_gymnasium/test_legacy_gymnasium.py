"""The package finds what it imports from gymnasium 0.29, and everybody else finds gymnasium 1.x as it is."""

import dataclasses
import importlib.util
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.envs import registration
from gymnasium.envs.mujoco import mujoco_rendering

from envs.safety_gymnasium import compat, legacy_gymnasium
from envs.safety_gymnasium.env import SafetyGymnasiumEnv

GOAL = "SafetyPointGoal1-v0"


def test_stand_ins_are_seen_meanwhile_only():
    compat.load()
    vector_module, removed = "gymnasium.vector.async_vector_env", "gymnasium.wrappers.time_limit"
    with legacy_gymnasium.stand_ins():
        assert sys.modules[vector_module].AsyncVectorEnv is legacy_gymnasium.AsyncVectorEnv
        assert sys.modules[removed].TimeLimit is gymnasium.wrappers.TimeLimit
    assert sys.modules[vector_module].AsyncVectorEnv is gymnasium.vector.AsyncVectorEnv
    assert importlib.util.find_spec(removed) is None
    assert "autoreset" not in {field.name for field in dataclasses.fields(registration.EnvSpec)}


@pytest.mark.parametrize("env_id", ["HalfCheetah-v5", "Swimmer-v5"])
def test_environments_of_gymnasium_1_run_beside_the_package_s(env_id):
    """Those of MuJoCo share the modules that are repaired for the package."""
    safe, env = SafetyGymnasiumEnv("SafetySwimmerVelocity-v1"), gymnasium.make(env_id)
    safe.step(np.zeros(2))
    first, _ = env.reset(seed=0)
    observation, reward, *ends = env.step(env.action_space.sample())[:4]
    assert observation.shape == first.shape and np.isfinite(reward) and ends == [False, False]
    assert mujoco_rendering.OffScreenViewer is not legacy_gymnasium.OffScreenViewer
    env.close()


def test_the_package_s_ids_for_gymnasium_give_costs_in_info():
    compat.load()
    env = gymnasium.make("SafetyPointGoal1Gymnasium-v0")
    env.reset(seed=0)
    *_, info = env.step(np.zeros(2))
    assert info["cost"] == info["cost_sum"] >= 0


def test_the_package_s_worker_processes_step_as_one_environment_does():
    """Through the ends of episodes, at which they reset by themselves."""
    package = compat.load()
    from safety_gymnasium.vector import SafetyAsyncVectorEnv

    def make():
        return package.make(GOAL, max_episode_steps=3)

    both, alone = SafetyAsyncVectorEnv([make, make]), make()
    np.testing.assert_array_equal(both.reset(seed=4)[0][0], alone.reset(seed=4)[0])
    for action in np.random.RandomState(0).uniform(-1, 1, (5, 2)):
        observation, reward, cost, _, truncated, _ = both.step(np.tile(action, (2, 1)))
        expected, expected_reward, expected_cost, _, expected_truncated, _ = alone.step(action)
        if expected_truncated:
            expected, _ = alone.reset()
        np.testing.assert_array_equal(observation[0], expected)
        assert (reward[0], cost[0], truncated[0]) == (expected_reward, expected_cost, expected_truncated)
    both.close()


def test_spaces_given_to_the_package_s_worker_processes_are_refused():
    compat.load()
    from safety_gymnasium.vector import SafetyAsyncVectorEnv

    with pytest.raises(ValueError, match="leave them out"):
        SafetyAsyncVectorEnv([lambda: None], observation_space=gymnasium.spaces.Box(0, 1))


def test_humanoid_is_weighed_as_with_gymnasium_0_29():
    """Sums in another order differ in the last bits, and a reward is the difference of two."""
    env = SafetyGymnasiumEnv("SafetyHumanoidVelocity-v1")._env.unwrapped
    from gymnasium.envs.mujoco import humanoid_v4
    from safety_gymnasium.tasks.safe_velocity import safety_humanoid_velocity_v0

    assert safety_humanoid_velocity_v0.mass_center is legacy_gymnasium.mass_center is not humanoid_v4.mass_center
    env.step(np.full(env.action_space.shape, 0.1))
    here, there = (module.mass_center(env.model, env.data) for module in (legacy_gymnasium, humanoid_v4))
    np.testing.assert_allclose(here, there, rtol=1e-12)
