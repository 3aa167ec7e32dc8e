"""The genuine environments: repairs at import, cheap resets that change nothing, and batches of them."""

import ctypes.util
import dataclasses
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

import envs
from envs.host.protocol import RenderingError, episode_seed
from envs.safety_gymnasium import compat, fast_layout, fast_reset
from envs.safety_gymnasium.env import SafetyGymnasiumEnv, task_ids

GOAL = "SafetyPointGoal1-v0"
UNTOUCHED = """
import sys, time
import numpy as np
from envs.safety_gymnasium import compat
env = compat.load().make(sys.argv[1])
actions, rows, seconds = np.load(sys.argv[2]), [], []
for seed, episode in enumerate(actions):
    started = time.process_time()
    observation, _ = env.reset(seed=seed)
    seconds.append(time.process_time() - started)
    rows.append(np.r_[observation, 0, 0, 0])
    for action in episode:
        observation, reward, cost, terminated, truncated, _ = env.step(action)
        rows.append(np.r_[observation, reward, cost, truncated])
np.savez(sys.argv[3], rows=rows, seconds=min(seconds))
"""


def untouched(task_id, actions, folder):
    """What the package shows without our resets, in a process of its own; and its fastest reset in seconds."""
    np.save(folder / "actions.npy", actions)
    arguments = [task_id, str(folder / "actions.npy"), str(folder / "rows.npz")]
    subprocess.run([sys.executable, "-c", UNTOUCHED, *arguments], check=True, stderr=subprocess.DEVNULL)
    return np.load(folder / "rows.npz")


def ours(task_id, actions):
    env, rows, seconds = SafetyGymnasiumEnv(task_id), [], []
    for seed, episode in enumerate(actions):
        started = time.process_time()
        observation = env.reset(seed)
        seconds.append(time.process_time() - started)
        rows.append(np.r_[observation, 0, 0, 0])
        for action in episode:
            step = env.step(action)
            rows.append(np.r_[step.observation, step.reward, step.cost, step.truncated])
    return np.array(rows), min(seconds)


@pytest.mark.parametrize(
    "task_id",
    [
        GOAL,
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("SafetyCarButton1-v0", "SafetyDoggoPush2-v0")),
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("SafetyPointCircle2-v0", "SafetyPointPush2-v0")),
    ],
)
def test_whole_episodes_are_those_of_the_untouched_package(task_id, tmp_path):
    """Two episodes to the time limit, to the last bit; and resets at least 20 times faster (processor time)."""
    spec = SafetyGymnasiumEnv(task_id).spec
    # Each action is held for a while, so that the robot gets about and meets things.
    actions = np.random.RandomState(0).uniform(-1, 1, (2, spec.episode_length // 20, spec.action_size)).repeat(20, 1)
    expected = untouched(task_id, actions, tmp_path)
    rows, seconds = ours(task_id, actions)
    np.testing.assert_array_equal(rows, expected["rows"])
    assert rows[:, -1].sum() == 2, "both episodes end by their time limit"
    assert rows[:, -2].sum() > 0 or "Doggo" in task_id, "something was met"
    if task_id == GOAL:
        assert seconds < float(expected["seconds"]) / 20


def test_pictures_are_cut_from_models_with_all_their_uses():
    xml = (
        '<asset><texture type="skybox" fileright="a.png" fileup="b.png"></texture><texture name="mat" builtin="flat"/>'
        '<texture name="grass" file="c.PNG"/><material name="grass" texture="grass"/><material texture="mat"/></asset>'
    )
    expected = '<asset><texture name="mat" builtin="flat"/><material name="grass"/><material texture="mat"/></asset>'
    assert fast_reset.without_pictures(xml) == expected


def test_dataclasses_may_have_array_defaults_meanwhile():
    def define():
        @dataclasses.dataclass
        class Colored:
            color: np.ndarray = np.ones(3)  # noqa: RUF009

        return Colored

    with pytest.raises(ValueError, match="mutable default"):
        define()
    with compat.array_defaults_allowed():
        colored = define()
    first, second = colored(), colored()
    first.color[0] = 5
    np.testing.assert_array_equal(second.color, np.ones(3))
    with pytest.raises(ValueError, match="mutable default"):
        define()


@pytest.mark.parametrize(
    ("task_id", "sizes", "costs"),
    [
        ("SafetyCarGoal1-v0", (72, 2, 1000), ("cost_hazards",)),  # joint sensors
        ("SafetyDoggoRun0-v0", (56, 12, 500), ("cost_out_of_boundary",)),  # hinge sensors
        ("SafetySwimmerVelocity-v1", (8, 2, 1000), ("cost_velocity",)),  # an option MuJoCo 3 no longer knows
        ("SafetyPointRace1-v0", (44, 2, 500), ("cost_hazards", "cost_static_geoms_contact")),  # lacks its pictures
        ("SafetyPointButton1-v0", (76, 2, 1000), ("cost_buttons", "cost_gremlins", "cost_hazards")),
    ],
)
def test_repaired_environments_run(task_id, sizes, costs):
    env = SafetyGymnasiumEnv(task_id)
    assert (env.spec.observation_size, env.spec.action_size, env.spec.episode_length) == sizes
    assert tuple(sorted(env.spec.component_names)) == costs
    first = env.reset(3)
    steps = [env.step(np.full(env.spec.action_size, 0.5)) for _ in range(3)]
    assert all(np.isfinite(step.observation).all() and step.observation.shape == first.shape for step in steps)
    assert not np.array_equal(steps[0].observation, first)
    np.testing.assert_array_equal(env.reset(3), first)


def test_swimmer_has_no_contacts():
    """As `collision="predefined"` without pairs meant: the body may cross the floor and itself."""
    env = SafetyGymnasiumEnv("SafetySwimmerVelocity-v1")
    data = env._env.unwrapped.data
    for _ in range(20):
        env.step(np.ones(2))
        assert data.ncon == 0


def test_a_gremlin_resists_as_with_the_mujoco_that_the_package_pins(data_dir):
    """Steps in which Point's sphere touches a gremlin, recorded with MuJoCo 2.3.3 after a reset by seed 3."""
    env, recording = SafetyGymnasiumEnv("SafetyPointButton1-v0"), np.load(data_dir / "parity" / "PointButton1.npz")
    env.reset(3)
    data, contacts = env.task.data, recording["robot_contacts"][0]
    np.testing.assert_allclose(data.qpos, recording["qpos"][0, 0], atol=1e-14)
    errors = []
    for row in np.flatnonzero((contacts[:-1] == "agent|gremlin2obj") & (contacts[1:] == "agent|gremlin2obj")):
        data.time = row * env.control_step
        data.qpos[:], data.qvel[:] = recording["qpos"][0, row], recording["qvel"][0, row]
        env.step(recording["action"][0, row + 1])
        errors.append(np.abs(data.qvel[:3] - recording["qvel"][0, row + 1, :3]).max())
    assert len(errors) == 15 and max(errors) < 1e-6, "up to 0.2 m/s without the repair"


def test_actions_are_scaled_to_the_actuators():
    env = SafetyGymnasiumEnv("SafetyRacecarRun0-v0")
    env.step(np.array([1.0, -0.5]))
    box = env._env.action_space
    expected = [box.high[0], box.low[1] + 0.25 * (box.high[1] - box.low[1])]
    np.testing.assert_allclose(env._env.unwrapped.task.data.ctrl, expected, rtol=1e-6)
    assert box.high[0] == 20


def test_every_single_agent_task_is_known_and_a_typo_is_answered():
    known = task_ids()
    assert {GOAL, "SafetyAntVelocity-v1", "SafetyCarFadingHard2-v0", "SafetyPointGoal1Vision-v0"} <= set(known)
    assert not any("Debug" in name for name in known)
    with pytest.raises(ValueError, match='no task "SafetyPointGaol1-v0"; close to it: SafetyPointGoal'):
        envs.make("SafetyPointGaol1-v0", backend="gymnasium")
    with pytest.raises(ValueError, match="episode_length is 1001: SafetyPointGoal1-v0 has episodes of at most 1000"):
        envs.make(GOAL, backend="gymnasium", episode_length=1001)
    with pytest.raises(ValueError, match='layout is "new": it must be "random" or "fixed"'):
        envs.make(GOAL, backend="gymnasium", layout="new")


def test_without_the_package_the_message_names_the_remedy():
    code = (
        "import sys; sys.modules['safety_gymnasium'] = None; import envs;"
        "envs.make('SafetyPointGoal1-v0', backend='gymnasium')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stderr.strip().endswith(
        'ImportError: the genuine environments need the package "safety_gymnasium", which is not installed: '
        'run "make install" or "python -m pip install --no-deps --require-hashes -r requirements.lock"'
    )


@pytest.mark.parametrize("layout", ["random", "fixed"])
def test_a_batch_shows_what_single_environments_do(layout):
    """Also in the step in which its episode ends and the next one begins."""
    num_envs, steps = 3, 5
    env = envs.make(
        GOAL,
        backend="gymnasium",
        num_envs=num_envs,
        num_workers=2,
        layout=layout,
        seed=5,
        episode_length=3,
        constraints=("cost_hazards",),
    )
    key = jax.random.PRNGKey(0)
    actions = jax.random.uniform(key, (steps, num_envs, 2), minval=-1, maxval=1)
    start = jax.jit(env.reset)(key)
    _, states = jax.lax.scan(lambda state, action: 2 * (env.step(state, action),), start, actions)
    seeds = jax.random.bits(key, (num_envs,), "uint32")
    for row in range(num_envs):
        alone = SafetyGymnasiumEnv(GOAL, episode_length=3)
        first, second = (5 if layout == "fixed" else episode_seed(int(seeds[row]), episode) for episode in (0, 1))
        np.testing.assert_array_equal(start.obs[row], np.float32(alone.reset(first)))
        for step in range(steps):
            expected = alone.step(np.asarray(actions[step, row]))
            observation = alone.reset(second) if expected.truncated else expected.observation
            np.testing.assert_array_equal(states.obs[step, row], np.float32(observation))
            assert states.info["truncation"][step, row] == (step == 2) == expected.truncated
            assert states.reward[step, row] == np.float32(expected.reward)
            assert states.info["cost"][step, row, 0] == expected.cost
    env.close()


@pytest.mark.skipif(
    not ctypes.util.find_library("EGL"), reason="no GL library: apt-get install libegl1 libgl1-mesa-dri"
)
def test_a_camera_sees_the_world_its_sky_and_its_markers(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "egl")
    env = SafetyGymnasiumEnv(GOAL, render_mode="rgb_array", camera_name="fixedfar", width=64, height=48)
    env.reset(3)
    env.step(np.zeros(2))
    picture = env.render()
    assert picture.shape == (48, 64, 3) and picture.dtype == np.uint8
    sky, floor = picture[:6].mean(), picture[-10:].mean()
    assert 0 < sky < 60 < floor, "stars above, a pale floor below"
    env._env.unwrapped.task.render_conf.lidar_markers = False
    assert not np.array_equal(env.render(), picture)


def test_without_a_gl_library_the_message_names_the_remedy(monkeypatch):
    env = SafetyGymnasiumEnv(GOAL)
    monkeypatch.setattr(env._env.unwrapped, "render", lambda: ctypes.CDLL("libNoSuchGL.so"))
    with pytest.raises(RenderingError, match=r"libNoSuchGL.*apt-get install libegl1"):
        env.render()


@pytest.mark.parametrize("crowded", [False, True])
def test_layouts_and_what_is_drawn_after_them_are_the_package_s_own(crowded):
    """Crowded: attempts fail, objects stand in one of several areas, and blocks of draws run out."""
    compat.load()
    from safety_gymnasium.utils.random_generator import RandomGenerator

    if crowded:
        areas = [(-1.2, -1.2, 0.5, 1.2), (0.0, -0.5, 1.2, 1.2)]
        placements = {f"o{i}": (None if i % 3 else areas[: 1 + i % 2], 0.27 + 0.01 * (i % 3)) for i in range(9)}
    else:
        placements = {f"o{i}": (None, 0.05) for i in range(5)}
    tries = []
    for seed in range(20):
        theirs, ours = RandomGenerator(), RandomGenerator()
        for generator in (theirs, ours):
            generator.set_random_seed(seed)
            generator.set_placements_info(placements, [-1.2, -1.2, 1.2, 1.2], 0.02)
        tries.append(1)
        while not theirs.sample_layout():
            tries[-1] += 1
        layout = fast_layout.build_layout(ours)
        assert layout.keys() == theirs.layout.keys() and ours.layout is layout
        for name, place in theirs.layout.items():
            np.testing.assert_array_equal(layout[name], place)
        assert ours.random_generator.uniform() == theirs.random_generator.uniform()
    assert (max(tries) > 3) == crowded


def test_a_layout_that_cannot_be_is_told(monkeypatch):
    compat.load()
    from safety_gymnasium.utils.common_utils import ResamplingError
    from safety_gymnasium.utils.random_generator import RandomGenerator

    monkeypatch.setattr(fast_layout, "_ATTEMPTS", 5)
    generator = RandomGenerator()
    generator.set_random_seed(0)
    generator.set_placements_info({"a": (None, 0.9), "b": (None, 0.9)}, [-1, -1, 1, 1], 0.0)
    with pytest.raises(ResamplingError):
        fast_layout.build_layout(generator)
