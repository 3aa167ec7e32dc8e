"""The folder of a run: where it is, what it holds and what a resumed run must keep."""

import dataclasses
import json
from pathlib import Path

import pytest

from cvpo_jax import AlgoConfig, Config, ConfigError, EnvConfig, TrainConfig
from cvpo_jax.algorithm.state import StaticConfig
from cvpo_jax.runs import directory

CONFIG = Config(
    env=EnvConfig(id="SafetyPointCircle1-v0", num_envs=16),
    algo=AlgoConfig(hidden=(16, 8)),
    train=TrainConfig(seed=7, updates_per_step=1 / 16),
).complete()
STATIC = StaticConfig.from_config(
    CONFIG.algo, observation_size=28, action_size=2, num_constraints=1, episode_length=500
)


@pytest.fixture
def described(tmp_path) -> Path:
    directory.describe(tmp_path, CONFIG, STATIC, 2)
    return tmp_path


def test_a_new_run_is_named_after_task_and_seed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    chosen = directory.choose(CONFIG)
    assert chosen.parent == Path("runs")
    assert chosen.name.startswith("SafetyPointCircle1-seed7-")


def test_runs_that_begin_in_the_same_second_have_folders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(directory.time, "strftime", lambda form: "20260101-000000")
    long = dataclasses.replace(CONFIG, env=EnvConfig(id="module:" + 300 * "x"))
    for config in (CONFIG, long):
        chosen = [directory.choose(config) for _ in range(3)]
        assert len(set(chosen)) == 3
        assert all(path.is_dir() for path in chosen)


def test_a_run_that_never_came_to_a_checkpoint_may_start_again_in_its_folder(described):
    """A kill leaves its configuration, and perhaps the first evaluation."""
    asked = dataclasses.replace(CONFIG, run_dir=str(described))
    (described / "checkpoints" / "720.orbax-checkpoint-tmp").mkdir(parents=True)
    (described / "metrics.jsonl").write_text('{"step": 720}\n')
    assert directory.choose(asked) == described
    (described / "metrics.jsonl").write_text('{"step": 720}\n{"step": 1440}\n')
    with pytest.raises(ConfigError, match="holds a run already"):
        directory.choose(asked)  # as stored results, which have no checkpoints
    (described / "metrics.jsonl").unlink()
    (described / "checkpoints" / "720").mkdir()
    with pytest.raises(ConfigError, match="holds a run already"):
        directory.choose(asked)


def test_a_place_that_is_taken_is_refused(described):
    (described / "file").touch()
    (described / "checkpoints" / "720").mkdir(parents=True)
    for place, said in ((described, "--resume"), (described / "file", "file"), (described / "file" / "x", "file")):
        with pytest.raises(ConfigError, match=said):
            directory.choose(dataclasses.replace(CONFIG, run_dir=str(place)))
    empty = described / "empty"
    empty.mkdir()
    assert directory.choose(dataclasses.replace(CONFIG, run_dir=str(empty))) == empty


def test_what_is_described_is_read_back(described):
    config = directory.load_config(described)
    assert (config.train.devices, config.run_dir) == (2, str(described))
    assert dataclasses.replace(config, train=CONFIG.train, run_dir=None) == CONFIG
    assert directory.load_static_config(described) == STATIC


def test_a_folder_that_is_no_run_is_told(tmp_path):
    for load in (directory.load_config, directory.load_static_config):
        with pytest.raises(ConfigError, match="is not a run directory"):
            load(tmp_path)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda values: values | {"color": 3},
        lambda values: {},
        lambda values: [1],
        lambda values: values | {"action_size": "2"},
        lambda values: values | {"observation_size": 10**12},
        lambda values: values | {"num_constraints": 0},
    ],
)
def test_files_of_another_version_are_told(described, spoil):
    path = described / "sizes.json"
    path.write_text(json.dumps(spoil(json.loads(path.read_text()))))
    with pytest.raises(ConfigError, match="another version wrote it"):
        directory.load_static_config(described)


@pytest.mark.parametrize(("asked", "devices"), [(None, 2), (4, 4)])
def test_a_resumed_run_keeps_its_place_and_its_devices_unless_told(described, asked, devices):
    train = dataclasses.replace(CONFIG.train, devices=asked)
    config = directory.resumable(described, dataclasses.replace(CONFIG, train=train, run_dir="elsewhere"))
    assert (config.train.devices, config.run_dir) == (devices, str(described))


@pytest.mark.parametrize("option", [option for option, _ in CONFIG.shaping()])
def test_every_option_that_shapes_a_checkpoint_is_kept(option, described):
    """Changes the stored value, so that the one asked for is another."""
    section, name = option.split(".")
    stored = json.loads((described / "config.json").read_text())
    was = stored[section][name]
    other = {"env.backend": "gymnasium", "algo.covariance": "full", "env.episode_length": 100}
    other |= {"algo.constraints": {"cost_hazards": 1.0}, "algo.limits": [4.0, 9.0], "env.layout": "fixed"}
    other |= {"env.control_step": 0.1, "env.hazards": 3, "env.hazard_size": 0.1, "env.gremlin_travel": 0.2}
    own = {"env.kwargs": {"payload": 2.0}, "env.action_bound": 1.0, "env.observation_key": "state"}
    other |= own
    if option in own:  # only an environment of one's own takes them
        stored["env"]["id"] = "module:Name"
    other |= {"algo.name": "sac_lag", "algo.layer_norm": False, "train.replay_size": 3_000_000}
    if option in other:
        stored[section][name] = other[option]
    elif isinstance(was, list):
        stored[section][name] = [*was, 4]
    else:
        stored[section][name] = was + "x" if isinstance(was, str) else 2 * (was + 8)
    if option == "env.num_envs":
        stored["train"]["updates_per_step"] = 1 / stored[section][name]
    (described / "config.json").write_text(json.dumps(stored))
    asked = dataclasses.replace(CONFIG, train=dataclasses.replace(CONFIG.train, devices=2))
    if option in own:
        asked = dataclasses.replace(asked, env=dataclasses.replace(asked.env, id="module:Name"))
    with pytest.raises(ConfigError, match=rf"--{option} is .* but .* was made with"):
        directory.resumable(described, asked)


def test_what_does_not_shape_a_checkpoint_may_change(described):
    asked = dataclasses.replace(
        CONFIG,
        algo=dataclasses.replace(CONFIG.algo, gamma=0.9, cost_limit=3.0),
        train=dataclasses.replace(CONFIG.train, steps=9_000_000),
    )
    config = directory.resumable(described, asked)
    assert (config.algo.gamma, config.algo.cost_limit, config.train.steps) == (0.9, 3.0, 9_000_000)
