"""`envs.make_vector`: environments of every kind behind one interface, and what is refused in one line."""

import logging

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import envs
from envs.base import episode_of

NUM_ENVS = 4


def roll(vector, steps):
    """Everything after each of `steps` steps of half-strength actions, in one compiled loop."""

    def step(state, _):
        state = vector.step(state, jnp.full((NUM_ENVS, vector.action_size), 0.5))
        return state, state

    def run(key):
        return jax.lax.scan(step, vector.reset(key), None, length=steps)[1]

    return jax.jit(run)(jax.random.PRNGKey(0))


KINDS = {
    "own_gymnasium:toy": (False, 2, 2, 6, ("cost",)),
    "own_gymnasium:pendulum": (False, 3, 1, 200, ("cost",)),
    "own_gymnasium:vector": (False, 2, 2, 6, ("cost",)),
    "own_compiled:Point": (True, 2, 2, 6, ("cost",)),
    "own_compiled:ready": (True, 2, 2, 6, ("cost",)),
    "own_compiled:playground": (True, 1, 1, 6, ("cost",)),
    "own_compiled:port": (True, 60, 2, 50, ("cost_hazards",)),
}


@pytest.mark.parametrize("task_id", KINDS)
def test_every_kind_has_the_same_interface(task_id):
    compiled, observation_size, action_size, episode_length, names = KINDS[task_id]
    assert envs.is_compiled(task_id) == compiled
    with envs.host_scope():
        vector = envs.make_vector(task_id, NUM_ENVS)
        assert (vector.num_envs, vector.observation_size, vector.action_size) == (
            NUM_ENVS,
            observation_size,
            action_size,
        )
        assert vector.episode_length == episode_length and vector.num_constraints == 1
        assert set(names) <= set(vector.cost_names)
        assert vector.reward_scale == (1.0 if task_id == "own_compiled:port" else None)
        if task_id == "own_compiled:port":  # its structure is enough, since compiling it takes a minute
            states = jax.eval_shape(lambda: roll(vector, 8))
        else:
            states = roll(vector, 8)
        assert states.obs.shape == (8, NUM_ENVS, observation_size) and states.info["cost"].shape == (8, NUM_ENVS, 1)
        if episode_length == 6:
            np.testing.assert_array_equal(states.info["truncation"][:, 0], [0, 0, 0, 0, 0, 1, 0, 0])
            np.testing.assert_array_equal(episode_of(states).steps[:, 0], [1, 2, 3, 4, 5, 0, 1, 2])


@pytest.mark.parametrize("task_id", ["own_gymnasium:pendulum_parts", "own_gymnasium:vector", "own_compiled:Point"])
def test_lengths_and_constraints_are_chosen(task_id):
    kwargs = {} if "pendulum" in task_id else {"costs": "parts"}
    names = ("cost_turned",) if "pendulum" in task_id else ("cost_b", "cost_a")
    with envs.host_scope():
        vector = envs.make_vector(task_id, NUM_ENVS, kwargs=kwargs, constraints=names, episode_length=3)
        assert vector.episode_length == 3 and vector.num_constraints == len(names)
        states = roll(vector, 4)
        np.testing.assert_array_equal(states.info["truncation"][:, 0], [0, 0, 1, 0])
        chosen = np.stack([states.info["cost_components"][name] for name in names], axis=-1)
        np.testing.assert_array_equal(states.info["cost"], chosen)


def test_one_of_ours_is_used_as_it_is():
    both = {"costs": "parts"}
    port = envs.make_vector("own_compiled:port", 2, episode_length=20, constraints=("cost_hazards",))
    assert port.episode_length == 20 and port.num_constraints == 1
    with pytest.raises(ValueError, match=r"own_compiled:port: episode_length is 60: episodes have at most 50 steps"):
        envs.make_vector("own_compiled:port", 2, episode_length=60)
    with pytest.raises(ValueError, match=r'own_compiled:port: constraint "cost_x" is not among'):
        envs.make_vector("own_compiled:port", 2, constraints=("cost_x",))
    with pytest.raises(ValueError, match="are flat already"):
        envs.make_vector("own_compiled:port", 2, observation_key="state")
    assert envs.make_vector("own_compiled:Point", 2, kwargs=both).cost_names == ("cost_a", "cost_b")


def test_ports_and_the_original_come_by_their_ids():
    port = envs.make_vector("SafetyPointGoal1-v0", 2, staggered=True, hazards=3, episode_length=20)
    assert port.staggered and port.episode_length == 20 and port.reward_scale == 1.0
    assert envs.is_compiled("SafetyPointGoal1-v0") and not envs.is_compiled("SafetyPointGoal1-v0", "gymnasium")
    for id_, scale in [("SafetyPointGoal1-v0", 1.0), ("SafetyHopperVelocity-v1", None)]:
        original = envs.make_vector(id_, 2, backend="gymnasium", episode_length=20, num_workers=1)
        assert original.episode_length == 20 and original.reward_scale == scale


@pytest.mark.parametrize(
    ("task_id", "options", "words"),
    [
        ("own_compiled:ready", {"action_bound": 2.0}, "action_bound is 2"),
        ("own_compiled:ready", {"hazards": 2}, "hazards is 2: own_compiled:ready has no such option"),
        ("own_gymnasium:toy", {"episode_length": 7}, "limit is 6"),
        ("own_gymnasium:toy", {"constraints": ("cost_a",)}, '"cost_a" is not among the costs here: cost'),
        ("own_gymnasium:toy", {"kwargs": {"observation": "picture"}}, "pictures"),
        ("own_gymnasium:none", {}, 'no callable "none"'),
        ("SafetyPointGoal1-v0", {"kwargs": {"a": 1}}, "only an environment of your own"),
        ("SafetyPointGoal1-v0", {"observation_key": "a"}, "only an environment of your own"),
        ("SafetyPointGaol1-v0", {}, "SafetyPointGoal1-v0"),
    ],
)
def test_bad_requests_get_one_line(task_id, options, words):
    with pytest.raises((ValueError, ImportError)) as error:
        envs.make_vector(task_id, 2, **options)
    assert words in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("fault", ["late nan", "late missing", "late negative"])
def test_a_broken_contract_ends_the_run_at_once_in_one_line(fault, caplog):
    with caplog.at_level(logging.WARNING), pytest.raises(envs.HostError) as error, envs.host_scope():
        vector = envs.make_vector("own_gymnasium:toy", 2, kwargs={"limit": 40, "fault": fault}, num_workers=1)
        state = vector.reset(jax.random.PRNGKey(0))
        step = jax.jit(vector.step)
        for _ in range(40):
            state = jax.block_until_ready(step(state, jnp.zeros((2, 2))))
    assert str(error.value).startswith("own_gymnasium:toy, step 2") and "\n" not in str(error.value)
    assert "new episode" not in caplog.text, "another episode would not help"


def test_an_environment_that_raises_now_and_then_begins_a_new_episode(caplog):
    with caplog.at_level(logging.WARNING), envs.host_scope():
        vector = envs.make_vector("own_gymnasium:toy", 1, kwargs={"limit": 40, "fault": "late raise"}, num_workers=1)
        step, state = jax.jit(vector.step), vector.reset(jax.random.PRNGKey(0))
        cut = []
        for _ in range(24):
            state = step(state, jnp.zeros((1, 2)))
            cut.append(float(state.info["truncation"][0]))
        assert sum(cut) == 1 and "the toy was told to raise" in caplog.text


def test_workers_find_the_module_in_the_folder(tmp_path):
    (tmp_path / "task_of_workers.py").write_text("from own_gymnasium import toy as made\n")
    with envs.host_scope():
        vector = envs.make_vector("task_of_workers:made", 2, folder=str(tmp_path))
        assert vector.reset(jax.random.PRNGKey(0)).obs.shape == (2, 2)
