"""A policy in files that run without the trainer: they act as it does, and say what they are."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import jax
import numpy as np
import pytest

from cvpo_jax import ConfigError, cli, export, load_policy
from cvpo_jax.config.sections import EnvConfig
from cvpo_jax.runs.directory import load_config
from cvpo_jax.runs.export import files, shown
from cvpo_jax.runs.export.action_bounds import action_bounds
from cvpo_jax.runs.export.policy_arrays import PolicyArrays
from cvpo_jax.runs.metrics import read_metrics
from cvpo_jax.runs.policy import load_state, make_policy

pytestmark = pytest.mark.xdist_group("tiny_run")
COUNT = 10_000
LOW, HIGH = np.array([-1.0, 0.0]), np.array([3.0, 10.0])


def exported(run_dir, capsys, *arguments):
    capsys.readouterr()
    assert cli.main(export.command, [str(run_dir), *map(str, arguments)]) == 0
    return capsys.readouterr().out.split()


def loaded(path):
    """The class that stands in the code written beside an npz."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Policy


def observations(size):
    """Some as the networks like them, some so large that they are clipped, in one row."""
    random = np.random.default_rng(5)
    return (random.normal(size=(COUNT, size)) * random.choice([0.3, 3.0, 300.0], size=(COUNT, 1))).astype(np.float32)


def session(kind, content):
    """What runs the format in the field."""
    if kind == "npz":
        return files.decode(content, kind)
    if kind == "stablehlo":
        pytest.importorskip("flatbuffers")
        return files.decode(content, kind)
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime").InferenceSession(content, providers=["CPUExecutionProvider"])
    return lambda values: runtime.run(["action"], {"observation": values})[0]


def skip_without_packages(kind):
    try:
        files.require_packages(kind)
    except ConfigError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(
    ("kind", "step"), [("npz", None), ("npz", "best"), ("npz", 1744), ("stablehlo", None), ("onnx", None)]
)
def test_each_format_acts_as_the_policy_does(kind, step, tiny_run, tmp_path, capsys):
    skip_without_packages(kind)
    out = tmp_path / f"taken.{kind}"
    exported(tiny_run, capsys, "--format", kind, "--out", out, *(["--step", step] if step else []))
    policy = load_policy(tiny_run, step=step)
    values = observations(load_state(tiny_run).static.observation_size)
    act = session(kind, out.read_bytes())
    np.testing.assert_allclose(act(values), policy(values), rtol=0, atol=1e-5)
    np.testing.assert_allclose(act(values[:1]), policy(values[:1]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["npz", "stablehlo", "onnx"])
def test_actions_have_the_units_of_the_environment(kind, tiny_run):
    skip_without_packages(kind)
    state = load_state(tiny_run)
    arrays = PolicyArrays.of(state, LOW, HIGH)
    act, values = session(kind, files.encode(arrays, kind, {})), observations(arrays.observation_size)
    wanted = np.array([1.0, 5.0]) + np.array([2.0, 5.0]) * np.asarray(make_policy(state)(values), np.float64)
    np.testing.assert_allclose(act(values), wanted, rtol=0, atol=5e-5)
    assert np.all(act(values) >= LOW) and np.all(act(values) <= HIGH)


def test_bounds_are_those_of_the_environment():
    for env, low, high in (
        (EnvConfig(id="SafetyPointGoal1-v0"), -np.ones(2), np.ones(2)),
        (EnvConfig(id="own_gymnasium:Toy"), LOW, HIGH),
        (EnvConfig(id="own_gymnasium:Toy", kwargs={"action": "matrix"}), -2 * np.ones(4), 2 * np.ones(4)),
        (EnvConfig(id="own_gymnasium:Toy", kwargs={"action": "infinite"}, action_bound=7.0), [-7, 0], [7, 1]),
    ):
        found = action_bounds(env, len(low))
        np.testing.assert_array_equal(found, (low, high))
    with pytest.raises(ConfigError, match="nowhere"):
        action_bounds(EnvConfig(id="nowhere:Nothing"), 2)


def test_policies_without_normalization_take_observations_as_they_are(tiny_run):
    state = load_state(tiny_run)
    plain = state.static.__class__(**vars(state.static) | {"algo": _without_normalization(state.static.algo)})
    state = state.replace(static=plain)
    arrays = PolicyArrays.of(state, -np.ones(2), np.ones(2))
    assert arrays.observation_clip == np.inf
    act = files.decode(files.encode(arrays, "npz", {}), "npz")
    assert files.difference(act, make_policy(state), arrays, 100).of_rounding < 1


def _without_normalization(algo):
    return algo.__class__(**vars(algo) | {"normalize_observations": False})


def test_the_code_beside_an_npz_needs_numpy_alone(tiny_run, tmp_path, capsys):
    paths = exported(tiny_run, capsys, "--out", tmp_path / "gait.npz")
    assert paths == [str(tmp_path / f"gait.{ending}") for ending in ("npz", "json", "py")]
    code = tmp_path / "gait.py"
    assert len(code.read_text().splitlines()) <= 60
    check = "import sys, gait; print('jax' in sys.modules, gait.Policy('gait.npz')([0.0] * int(sys.argv[1])).shape)"
    size = load_state(tiny_run).static.observation_size
    done = subprocess.run([sys.executable, "-c", check, str(size)], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "False (2,)\n", done.stderr
    done = subprocess.run([sys.executable, code], cwd=tmp_path.parent, capture_output=True, text=True)
    assert done.stdout.startswith("an action takes "), done.stderr


def test_observations_that_do_not_fit_are_told_in_words(tiny_run, tmp_path, capsys):
    exported(tiny_run, capsys, "--out", tmp_path / "policy.npz")
    policy = loaded(tmp_path / "policy.py")(tmp_path / "policy.npz")
    size = policy.observation_size
    with pytest.raises(ValueError, match=rf"observations have {size} values, but .* the shape \({size + 1},\)"):
        policy(np.zeros(size + 1))
    bad = np.zeros((3, size))
    bad[1, 2] = np.nan
    with pytest.raises(ValueError, match="value 2 of an observation is not finite"):
        policy(bad)


def test_the_card_says_what_the_policy_is(tiny_run, tmp_path, capsys):
    exported(tiny_run, capsys, "--step", "best", "--out", tmp_path / "policy.npz")
    card = json.loads((tmp_path / "policy.json").read_text())
    row = max(read_metrics(tiny_run), key=lambda row: row["score"])
    assert (card["task"], card["seed"], card["step"], card["chosen"]) == (
        "SafetyPointCircle1-v0",
        3,
        row["step"],
        "best",
    )
    assert (card["limits"], card["action"]["low"]) == ({"cost": 5.0}, [-1.0, -1.0])
    assert card["measured"]["episodes"] == 8
    low, high = card["measured"]["return"]["interval"]
    assert card["measured"]["return"]["mean"] == row["return_mean"] == pytest.approx((low + high) / 2)
    # Student's t for 8 episodes.
    assert (high - low) / 2 == pytest.approx(2.3646 * row["return_std"] / np.sqrt(7), rel=1e-3)
    assert card["measured"]["cost"]["mean"] == row["cost_mean"]
    assert card["largest_difference"] < 1e-5
    assert card["commit"] is None or len(card["commit"]) == 40


def test_a_run_without_its_evaluation_has_a_card_without_one(tiny_run, tmp_path, capsys):
    copy = tmp_path / "run"
    shutil.copytree(tiny_run, copy)
    (copy / "metrics.jsonl").unlink()
    assert exported(copy, capsys)[0] == str(copy / "policy.npz")
    assert json.loads((copy / "policy.json").read_text())["measured"] is None


def test_mistakes_are_told_in_one_line(tiny_run, tmp_path, capsys):
    (tmp_path / "mine.py").write_text("print('mine')\n")
    for arguments, said in (
        (["nowhere"], "not a run directory"),
        ([tiny_run, "--step", "5"], "--step is 5"),
        ([tiny_run, "--out", tmp_path / "policy.onnx"], "ends in .npz"),
        ([tiny_run, "--out", tmp_path / "none" / "policy.npz"], "make it first"),
        ([tiny_run, "--out", tmp_path / "mine.npz"], "a file of yours"),
    ):
        capsys.readouterr()
        assert cli.main(export.command, [*map(str, arguments)]) == 2
        told = capsys.readouterr().err
        assert told.count("\n") == 1
        assert said in told
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]


@pytest.mark.parametrize(("kind", "package"), [("onnx", "onnx"), ("stablehlo", "flatbuffers")])
def test_a_missing_package_is_named_with_its_extra(kind, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError, match=f"--format is {kind}: it needs the package {package}, .*`export`"):
        files.require_packages(kind)


def test_a_file_that_acts_differently_is_not_written(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "difference", lambda *arguments: files.Difference(1e-3, 50.0))
    with pytest.raises(RuntimeError, match=r"differs from the policy by 0\.001, 50 times"):
        cli.main(export.command, [str(tiny_run), "--out", str(tmp_path / "policy.npz")])
    assert not list(tmp_path.iterdir())


def test_the_check_notices_another_bound_on_observations(tiny_run):
    state = load_state(tiny_run)
    arrays = PolicyArrays.of(state, LOW, HIGH)
    other = PolicyArrays(**vars(arrays) | {"observation_clip": 5.0})
    act = files.decode(files.encode(other, "npz", {}), "npz")
    assert files.difference(act, make_policy(state), arrays, 1000).of_rounding > 1


def test_a_policy_of_large_gains_may_round_coarsely_and_must_be_no_other(tiny_run):
    state = load_state(tiny_run)
    steep = jax.tree.map(lambda x: 10 * x, state.average_actor)
    state = state.replace(average_actor=steep)
    arrays = PolicyArrays.of(state, LOW, HIGH)
    policy = make_policy(state)
    same = files.difference(files.decode(files.encode(arrays, "npz", {}), "npz"), policy, arrays, 1000)
    assert same.largest > 1e-5 and same.of_rounding < 1
    other = replace(arrays, kernels=tuple(kernel * (1 + 1e-3) for kernel in arrays.kernels))
    act = files.decode(files.encode(other, "npz", {}), "npz")
    assert files.difference(act, policy, arrays, 1000).of_rounding > 1


def test_a_file_is_read_back_as_the_policy(tiny_run, tmp_path, capsys):
    exported(tiny_run, capsys, "--step", "best", "--out", tmp_path / "gait.npz")
    read, policy = shown.chosen(str(tmp_path / "gait.npz")), load_policy(tiny_run, step="best")
    values = observations(load_state(tiny_run).static.observation_size)
    np.testing.assert_allclose(read.policy(values), policy(values), rtol=0, atol=1e-5)
    config = load_config(tiny_run)
    assert (read.name, read.config.env, read.config.algo.cost_limits) == ("gait", config.env, (5.0,))


STORED_NAMES = sorted(path.stem for path in shown.STORED.glob("*.npz"))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.with_suffix(".json").unlink(), "gait.json"),
        (lambda path: path.with_suffix(".json").write_text("{}"), "cannot be read with its model card gait.json"),
        (lambda path: path.write_bytes(path.read_bytes()[:900]), "export it again"),
        (lambda path: path.rename(path.with_suffix(".old")), f"nor one of {', '.join(STORED_NAMES)}"),
    ],
)
def test_what_is_no_exported_policy_is_told(spoil, said, tiny_run, tmp_path, capsys):
    path = tmp_path / "gait.npz"
    exported(tiny_run, capsys, "--out", path)
    spoil(path)
    with pytest.raises(ConfigError, match=re.escape(said)):
        shown.chosen(str(path))


@pytest.mark.parametrize("name", STORED_NAMES)
def test_stored_policies_can_be_shown_and_kept_their_limit(name):
    path = shown.find(name)
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["env"]["folder"] is None and path.stat().st_size < 150_000
    assert card["measured"]["cost"]["mean"] <= card["limits"]["cost"]
    policy = shown.chosen(name)
    assert policy.config.env.id == card["task"]
    assert policy.policy(np.zeros(card["observation"]["size"], np.float32)).shape == (card["action"]["size"],)
