"""Which value of an environment is named, and what of a run's own numbers is refused."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from brax.envs import State

from cvpo_jax.algorithm.running_statistics import UInt64
from cvpo_jax.experience.evaluation import EvaluationResult
from cvpo_jax.experience.replay import Replay, Transition
from cvpo_jax.experience.rollout import CollectorState
from cvpo_jax.runs.judgment import evaluation_fault, first_fault, state_fault

D, S, N, SIZE, C = 2, 5, 3, 4, 2
COSTS = ("cost_hazards", "cost_vases")
STEPS = 100 * D * N
"""Of all environments, so far: the newest row of the replay led to the last of them."""


@pytest.fixture
def held():
    """Sound values in a full ring whose oldest row is 2."""
    rows = (D, S, N)
    data = Transition(
        observation=np.zeros((*rows, SIZE)),
        action=np.zeros((*rows, 1)),
        reward=np.zeros(rows),
        cost=np.zeros((*rows, C)),
        done=np.zeros(rows),
        truncation=np.zeros(rows),
    )
    env_state = State(None, np.zeros((D, N, SIZE)), np.zeros((D, N)), np.zeros((D, N)), {}, {})
    replay = Replay(data, np.full(D, 2), np.full(D, S))
    return CollectorState(env_state, replay, None, None)


def fault(held):
    found = first_fault(SimpleNamespace(env_steps=UInt64(hi=0, lo=np.uint32(STEPS))), held, COSTS)
    return found and str(found)


def test_sound_values_have_no_fault(held):
    held.replay.data.reward[:] = -1e9
    assert fault(held) is None


@pytest.mark.parametrize(
    ("field", "index", "value", "said"),
    [
        # Row 1 is the newest: its reward came of the last step, its observation of the one before.
        ("reward", (1, 1, 2), math.nan, "reward of environment 5 was nan at step 600"),
        ("observation", (0, 1, 0, 3), 1e30, "observation[3] of environment 0 was 1e+30 at step 594"),
        ("cost", (1, 2, 0, 1), -1.0, "cost_vases of environment 3 was -1 at step 576"),
        ("cost", (0, 0, 1, 0), math.inf, "cost_hazards of environment 1 was inf at step 594"),
    ],
)
def test_the_value_is_named_with_its_component_environment_and_step(held, field, index, value, said):
    getattr(held.replay.data, field)[index] = value
    assert fault(held) == said


def test_what_nobody_has_acted_on_yet_is_found(held):
    held.env_state.obs[1, 0, 2] = math.nan
    assert fault(held) == "observation[2] of environment 3 was nan at step 600"


def test_the_oldest_is_the_cause(held):
    held.replay.data.reward[0, 1, 0] = math.nan
    held.replay.data.observation[0, 1] = math.nan
    held.replay.data.cost[0, 3, 1, 0] = 1e12
    assert fault(held) == "cost_hazards of environment 1 was 1e+12 at step 582"


def test_of_a_ring_that_is_not_full_only_what_was_written_counts(held):
    replay = held.replay.replace(position=np.full(D, 2), size=np.full(D, 2))
    replay.data.reward[:, 2:] = math.nan
    assert fault(held.replace(replay=replay)) is None
    replay.data.reward[0, 0, 0] = math.nan
    assert fault(held.replace(replay=replay)) == "reward of environment 0 was nan at step 594"


def test_episodes_of_an_evaluation_are_judged():
    sound = EvaluationResult(np.array([1.0, -5.0]), np.array([[0.0, 3.0], [2.0, 4.0]]))
    assert evaluation_fault(sound, COSTS) == ""
    costs = np.array([[0.0, 3.0], [2.0, math.nan]])
    assert evaluation_fault(sound.replace(costs=costs), COSTS) == "cost_vases of 1 of 2 episodes was nan"
    assert evaluation_fault(sound.replace(costs=-costs), COSTS) == "cost_hazards of 1 of 2 episodes was -2"
    assert evaluation_fault(sound.replace(returns=costs[:, 1]), COSTS) == "return of 1 of 2 episodes was nan"


def test_the_first_array_of_a_state_that_is_not_finite_is_named():
    state = {"mean": np.zeros(3), "count": np.arange(2), "std": np.array([1.0, math.inf])}
    assert "std" in state_fault(state)
    assert state_fault(state | {"std": np.ones(2)}) == ""
