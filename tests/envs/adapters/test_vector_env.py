"""A gymnasium.vector.VectorEnv as it is given: whatever its autoreset, transitions stay within their episodes."""

from functools import partial

import gymnasium
import numpy as np
import pytest
from own_gymnasium import LENGTH, toy, vector

from envs.adapters.vector_env import GymnasiumVector
from envs.host.pool import HostError

NUM_ENVS = 3
ENDS = 3  # steps after which environment 1 ends by itself
SEEDS = np.arange(NUM_ENVS, dtype=np.uint32)
MODES = ["SameStep", "NextStep", "Disabled"] if hasattr(gymnasium.vector, "AutoresetMode") else [""]


def make(mode="", num_envs=NUM_ENVS, episode_length=None, **options):
    return GymnasiumVector(
        partial(vector, num_envs, mode, ends=ENDS, **options), num_envs, name="my:vector", episode_length=episode_length
    )


def roll(env, steps):
    """For each step: counts observed before and after it, rewards, costs, terminations and truncations, `[T, N]`."""
    env.reset(SEEDS)
    rows = []
    for step in range(steps):
        before = env.arrays.observation[:, 1].copy()
        env.step(np.full((NUM_ENVS, 2), step / steps, np.float32))
        arrays = env.arrays
        parts = (arrays.observation[:, 1], arrays.reward, arrays.cost, arrays.terminated, arrays.truncated)
        rows.append([before, *(part.copy() for part in parts)])
    return [np.array(column) for column in zip(*rows, strict=True)]


def check_episodes(rolled, rests):
    """Counts go up by one in an episode and begin at 0 after its end; `rests` steps at its end cost and pay nothing."""
    before, after, reward, cost, terminated, truncated = rolled
    ended = terminated | truncated
    resting = np.zeros_like(ended)
    if rests:
        resting[ended] = True
    np.testing.assert_array_equal(after[ended], 0)
    np.testing.assert_array_equal(after[~ended], before[~ended] + 1)
    np.testing.assert_array_equal(cost, np.where(resting, 0, 1))
    assert np.all((reward == 0) == resting)
    lengths = [np.diff(np.flatnonzero(np.append(True, ended[:, row]))) for row in range(NUM_ENVS)]
    for row, expected in enumerate([LENGTH, ENDS, LENGTH]):
        np.testing.assert_array_equal(lengths[row], expected + rests)
    assert not truncated[:, 1].any() and not terminated[:, [0, 2]].any()


@pytest.mark.skipif(MODES == [""], reason="before Gymnasium 1.1 no vector begins some episodes without the others")
@pytest.mark.parametrize("mode", MODES)
def test_first_episodes_of_gymnasiums_own_vectors_are_cut_where_asked(mode):
    env, ends = make(mode), []
    env.reset(SEEDS, lengths=np.array([4, 10, 2]))
    for _ in range(LENGTH + 4):
        env.step(np.zeros((NUM_ENVS, 2), np.float32))
        ends.append(env.arrays.truncated.copy())
        assert (env.arrays.observation[:, 1] == env.arrays.elapsed).all()
    whole = env.spec.episode_length
    assert np.flatnonzero(np.array(ends)[:, 0]).tolist() == [3, *([3 + whole] if mode != "NextStep" else [])]
    assert np.flatnonzero(np.array(ends)[:, 2]).tolist()[:2] == [1, 1 + whole]


@pytest.mark.parametrize("mode", MODES)
def test_every_way_of_beginning_episodes_gives_true_transitions(mode):
    env = make(mode)
    rests = mode == "NextStep"
    assert env.spec.episode_length == LENGTH + rests
    check_episodes(roll(env, 30), rests)


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode])
def test_episodes_can_be_cut_earlier(mode):
    env = make(mode, episode_length=5, limit=30)
    _, after, _, _, terminated, truncated = roll(env, 12)
    assert env.spec.episode_length == 5
    np.testing.assert_array_equal(np.flatnonzero(truncated[:, 0]), [4, 9])
    np.testing.assert_array_equal(after[:6, 0], [1, 2, 3, 4, 0, 1])
    assert terminated[:, 1].any() and not truncated[:, 1].any()


def test_episodes_repeat_under_their_seeds_and_differ_otherwise():
    env = make(MODES[0])
    env.reset(SEEDS)
    first = env.arrays.observation.copy()
    assert len(np.unique(first[:, 0])) == NUM_ENVS
    env.step(np.zeros((NUM_ENVS, 2)))
    env.reset(SEEDS)
    np.testing.assert_array_equal(env.arrays.observation, first)
    env.reset(SEEDS, 1)
    assert (env.arrays.observation[:, 0] != first[:, 0]).all()


def test_costs_of_last_steps_are_those_of_the_old_episode():
    env = make(MODES[0], costs="parts")
    env.reset(SEEDS)
    seen = []
    for _ in range(LENGTH):
        env.step(np.zeros((NUM_ENVS, 2)))
        seen.append(env.arrays.components.copy())
    assert env.spec.component_names == ("cost_a", "cost_b")
    np.testing.assert_array_equal(np.array(seen)[:, 0], [[1, 0.5], [0, 0.5]] * (LENGTH // 2))
    np.testing.assert_array_equal(np.array(seen)[:, 1], [[1, 0.5], [0, 0.5], [1, 0.5]] * 2)


@pytest.mark.parametrize("kind", ["matrix", "dict", "tuple"])
def test_observations_are_flat_as_those_of_single_environments(kind):
    env = make(MODES[0], observation=kind)
    alone = toy(observation=kind)
    env.reset(SEEDS)
    expected = [alone.reset(seed=int(seed))[0] for seed in _drawn(env)]
    flat = [gymnasium.spaces.flatten(alone.observation_space, observation) for observation in expected]
    np.testing.assert_allclose(env.arrays.observation, np.stack(flat), rtol=1e-6)


def _drawn(env):
    from envs.host.protocol import episode_seed

    return [episode_seed(int(seed), 0) for seed in env.arrays.seed]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("late reward", "the reward of environment 0 is inf"),
        ("late negative", "cost of environment 0 is -2: costs cannot be negative"),
        ("late infinite", "cost of environment 0 is inf"),
        ("late nan", "value 0 of 2 observed by environment 0 is nan"),
        ("late missing", 'no "cost" of environment 0'),
        ("late raise", "ArithmeticError: the toy was told to raise"),
    ],
)
def test_what_breaks_the_contract_gets_one_line(fault, words):
    env = GymnasiumVector(partial(vector, 2, MODES[0], limit=40, fault=fault), 2, name="my:vector")
    env.reset(SEEDS[:2])
    with pytest.raises(HostError) as error:
        for _ in range(40):
            env.step(np.zeros((2, 2)))
    assert str(error.value).startswith("my:vector") and words in str(error.value) and "\n" not in str(error.value)


class Forgetful(gymnasium.vector.VectorEnv):
    """Begins all episodes anew, whatever the mask, and says nothing about its autoreset unless told to."""

    num_envs = 2
    single_observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (1,))
    single_action_space = gymnasium.spaces.Box(-1, 1, (1,))

    def __init__(self, **metadata):
        self.metadata = metadata

    def reset(self, *, seed=None, options=None):
        self._counts = np.array([[0.0], [5.0]])
        return self._counts.copy(), {}

    def step(self, actions):
        self._counts += 1
        over = self._counts[:, 0] == 8
        return self._counts.copy(), np.ones(2), over, np.zeros(2, bool), {"cost": np.ones(2)}


def test_a_vector_that_cannot_begin_single_episodes_is_refused():
    env = GymnasiumVector(partial(Forgetful, autoreset_mode="Disabled"), 2, name="my:vector", episode_length=9)
    env.reset(SEEDS[:2])
    with pytest.raises(HostError, match=r"my:vector: some episodes ended and others did not.*reset_mask"):
        for _ in range(9):
            env.step(np.zeros((2, 1)))


def test_a_vector_must_say_what_it_is():
    with pytest.raises(ValueError, match="my:vector has 2 environments, not 3: give its maker an argument num_envs"):
        GymnasiumVector(partial(vector, 2), 3, name="my:vector")
    with pytest.raises(ValueError, match="my:vector has no time limit: give --episode_length"):
        GymnasiumVector(partial(Forgetful, autoreset_mode="Disabled"), 2, name="my:vector")
    if MODES != [""]:
        with pytest.raises(ValueError, match='set metadata\\["autoreset_mode"\\]'):
            GymnasiumVector(Forgetful, 2, name="my:vector", episode_length=9)
