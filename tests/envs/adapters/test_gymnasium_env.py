"""A gymnasium.Env as a host environment: spaces, lengths, costs, and one line for each thing that does not fit."""

from functools import partial

import numpy as np
import pytest
from own_gymnasium import ACTIONS, LENGTH, pendulum_parts, toy

import envs
from envs.adapters.gymnasium_env import GymnasiumEnv
from envs.host.protocol import ContractError


def make(episode_length=None, action_bound=None, observation_key=None, **options):
    return GymnasiumEnv(
        partial(toy, **options),
        name="my:toy",
        episode_length=episode_length,
        action_bound=action_bound,
        observation_key=observation_key,
    )


def refusal(**options):
    with pytest.raises(ValueError) as raised:
        make(**options)
    assert "\n" not in str(raised.value) and str(raised.value).startswith("my:toy")
    return str(raised.value)


@pytest.mark.parametrize(
    ("kind", "size", "first"), [("box", 2, None), ("matrix", 6, None), ("dict", 5, [1, 0, 0]), ("tuple", 4, None)]
)
def test_observations_are_flat(kind, size, first):
    env = make(observation=kind)
    observation = env.reset(3)
    assert observation.shape == (env.spec.observation_size,) == (size,)
    assert first is None or observation[:3].tolist() == first, "Discrete is one-hot"


def test_one_entry_of_a_dictionary_can_be_chosen():
    env = make(observation="dict", observation_key="b")
    assert env.spec.observation_size == 2 and env.step(np.zeros(2)).observation[1] == 1
    assert "entries a, b" in refusal(observation="dict", observation_key="c")
    assert "no entries" in refusal(observation_key="c")


def test_actions_are_scaled_to_asymmetric_bounds_in_their_shape():
    env = make()
    for action, expected in [([-1, -1], [-1, 0]), ([1, 1], [3, 10]), ([0, 0.5], [1, 7.5])]:
        env.step(np.array(action, np.float32))
        taken = env.env.unwrapped.taken[-1]
        np.testing.assert_allclose(taken, expected, rtol=1e-6)
        assert taken.dtype == np.float32 and ACTIONS["box"].contains(taken)
    env = make(action="matrix")
    env.step(np.array([1, 0, -1, 0.5]))
    np.testing.assert_array_equal(env.env.unwrapped.taken[-1], [[2, 0], [-2, 1]])


def test_infinite_bounds_need_an_option():
    assert "action 0 is unbounded, in [-inf, inf]: give action_bound" in refusal(action="infinite")
    env = make(action="infinite", action_bound=5.0)
    env.step(np.array([1.0, 1.0]))
    np.testing.assert_array_equal(env.env.unwrapped.taken[-1], [5, 1])
    assert "bounded already" in refusal(action_bound=5.0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"action": "discrete"}, ["Discrete", "supported is Box"]),
        ({"action": "whole"}, ["Box of int32", "supported is Box"]),
        ({"observation": "picture"}, ["pictures", "(8, 8, 3)", "vectors of features"]),
        ({"observation": "gray"}, ["pictures", "(8, 8)", "observation_key"]),
        ({"observation": "words"}, ["Sequence", "supported are Box"]),
        ({"limit": None}, ["no time limit", "episode_length"]),
        ({"episode_length": LENGTH + 1}, ["episode_length is 7", "limit is 6"]),
        ({"costs": "none"}, ["no cost", 'info["cost"]', "with_cost"]),
        ({"observation": "nothing"}, ["observation_space None", "gymnasium.spaces"]),
        ({"fault": "leave"}, ["SystemExit: the toy leaves"]),
        ({"fault": "flag"}, ["terminated is None", "True or False"]),
        ({"fault": "raise"}, ["ArithmeticError: the toy was told to raise", "own_gymnasium.py:"]),
    ],
)
def test_what_cannot_be_trained_on_gets_one_line(options, words):
    said = refusal(**options)
    assert all(word in said for word in words), said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fault": "four"}, ["step returned 4 values", "terminated, truncated"]),
        ({"fault": "shape"}, ["shape is (5,), not (2,)", "observation_space"]),
        ({"fault": "nan"}, ["value 0 of 2 observed is nan"]),
        ({"fault": "reward"}, ["the reward is inf"]),
        ({"fault": "missing"}, ['no "cost" in this step', "with_cost"]),
        ({"fault": "negative"}, ["cost is -2: costs cannot be negative"]),
        ({"fault": "negative", "costs": "parts"}, ["cost_a is -2"]),
        ({"fault": "infinite"}, ["cost is inf: it must be finite"]),
        ({"fault": "word"}, ["cost is 'much': it must be a number"]),
    ],
)
def test_what_breaks_the_contract_gets_one_line_with_its_step(options, words):
    env = make(limit=None, episode_length=30, **options | {"fault": f"late {options['fault']}"})
    env.reset(0)
    with pytest.raises(ContractError) as raised:
        for _ in range(30):
            env.step(np.zeros(2))
    said = str(raised.value)
    assert said.startswith(("my:toy, step 23 of an episode: ", "my:toy, step 22 of an episode: "))
    assert "\n" not in said and all(word in said for word in words), said


def test_what_the_first_steps_show_is_told_before_any_training():
    assert "reset returned a ndarray: it returns (observation, info)" in refusal(fault="reset")
    assert "step returned 4 values" in refusal(fault="four", limit=None, episode_length=5)


def test_costs_of_all_kinds():
    for costs, names, total, components in [
        ("cost", ("cost",), 1, [1]),
        ("six", ("cost",), 2, [2]),
        ("parts", ("cost_a", "cost_b"), 1.5, [1, 0.5]),
        ("both", ("cost_a",), 5, [1]),
    ]:
        env = make(costs=costs, limit=None, episode_length=5)  # Gymnasium's own TimeLimit knows five values only
        env.reset(0)
        step = env.step(np.zeros(2))
        assert env.spec.component_names == names and step.cost == total
        np.testing.assert_array_equal(step.components, components)


def test_a_component_that_is_missing_counts_nothing_and_one_that_comes_later_counts():
    env = make(costs="parts", limit=30)
    env.reset(0)
    env.env.unwrapped._info = lambda fault: {"cost_a": 1.0, "cost_new": 2.0}
    step = env.step(np.zeros(2))
    assert step.cost == 3 and step.components.tolist() == [1, 0]


def test_episodes_end_by_the_limit_by_the_option_and_by_themselves():
    for options, ends in [({}, (False, True)), ({"episode_length": 4}, (False, True)), ({"ends": 3}, (True, False))]:
        env = make(**options)
        env.reset(0)
        length = options.get("ends", env.spec.episode_length)
        steps = [env.step(np.zeros(2)) for _ in range(length)]
        assert [(step.terminated, step.truncated) for step in steps] == [(False, False)] * (length - 1) + [ends]
    assert make(limit=None, episode_length=9).spec.episode_length == 9


def test_equal_seeds_give_equal_episodes_and_others_do_not():
    env = make()
    assert env.reset(5)[0] == make().reset(5)[0] != env.reset(6)[0]


def test_with_cost_gives_total_or_components():
    env = GymnasiumEnv(pendulum_parts, name="my:pendulum")
    before = env.reset(0)
    step = env.step(np.array([0.5]))
    assert env.spec.component_names == ("cost_speed", "cost_turned") and env.spec.episode_length == 200
    speed, turned = abs(step.observation[2]), abs(step.observation[2] - before[2])
    np.testing.assert_allclose(step.components, [speed, turned], rtol=1e-6)
    assert step.cost == pytest.approx(speed + turned)
    with pytest.raises(ValueError, match="no single environment"):
        envs.with_cost("Pendulum-v1", lambda *_: 0.0)


def test_it_renders():
    assert make().render().shape == (4, 4, 3)


@pytest.mark.parametrize(
    ("fn", "words"), [(3, "was given 3: give a function"), (lambda a, b: 1.0, "a function of obs")]
)
def test_what_with_cost_cannot_call_is_refused_at_once(fn, words):
    with pytest.raises(ValueError, match=words):
        envs.with_cost(toy(), fn)


def test_a_cost_function_without_a_return_is_told():
    env = envs.with_cost(toy(costs="none"), lambda *_: None)
    with pytest.raises(ValueError, match="the cost function returned None: return a number"):
        GymnasiumEnv(lambda: env, name="my:toy")
