"""Experiment files and overrides."""

import dataclasses
import io
import sys

import jax
import jax.numpy as jnp
import pytest

from cvpo_jax import Config, ConfigError
from cvpo_jax.config.load import load_experiment, parse_overrides
from cvpo_jax.training.trainer import make_env


def overridden(*arguments):
    return parse_overrides(Config(), arguments, "prog", "description")


def test_experiments_that_come_with_the_project_are_valid():
    for name in ("goal", "button", "circle"):
        config = load_experiment(f"experiments/point_{name}.py").validate()
        assert config.env.id == f"SafetyPoint{name.title()}1-v0"


def test_the_gpus_experiment_is_the_usual_one_with_more_environments():
    usual = load_experiment("experiments/point_goal.py")
    config = load_experiment("experiments/gpu/point_goal.py").validate()
    assert (config.env.id, config.env.num_envs) == (usual.env.id, 4096)
    assert dataclasses.replace(config, eval=usual.eval).with_envs(usual.scale.num_envs) == usual.complete()


def test_the_from_the_start_experiment_is_the_usual_one_without_unconstrained_updates():
    usual = load_experiment("experiments/point_goal.py")
    config = load_experiment("experiments/from_the_start/point_goal.py").validate()
    assert config.algo.unconstrained_updates == 0
    algo = dataclasses.replace(config.algo, unconstrained_updates=usual.algo.unconstrained_updates)
    assert dataclasses.replace(config, algo=algo) == usual


@pytest.mark.parametrize(("robot", "step"), [("Point", 0.06), ("Car", 0.1)])
@pytest.mark.parametrize("task", ["Goal", "Button", "Circle"])
def test_the_papers_variants_are_made(robot, step, task):
    config = load_experiment(f"experiments/paper/{robot.lower()}_{task.lower()}.py").validate()
    env = make_env(config, 2).env
    assert (env.control_step, env.episode_length) == (pytest.approx(step), 400)
    state = jax.eval_shape(env.reset, jax.random.PRNGKey(0))
    world = state.pipeline_state
    if task != "Circle":
        assert world.objects["hazards"].shape == (5, 2)
        assert env.task.kind("hazards").size == 0.17
    if task == "Button":
        assert env.task.kind("gremlins").travel == 0.3
    assert jax.eval_shape(env.step, state, jnp.zeros(2)).obs.shape == (env.observation_size,)


def test_the_genuine_environment_keeps_its_control_step():
    with pytest.raises(ConfigError, match=r"--env\.control_step is 0\.06: with --env\.backend gymnasium"):
        overridden("--env.backend", "gymnasium", "--env.control-step", "0.06").validate()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1", r"odd\.py has no function get_config\(\)"),
        ("get_config = 3", r"odd\.py has no function get_config\(\)"),
        ("def get_config():\n    return {}", "returned dict"),
        ("x = 1\ny = (\n", r"odd\.py, line 2: SyntaxError: '\(' was never closed; --debug"),
        ("\n\nimport nothing_of_the_kind", r"odd\.py, line 3: ModuleNotFoundError: No module named 'nothing_of"),
        ("def get_config():\n    return 1 / 0", r"odd\.py, line 2: ZeroDivisionError: division by zero"),
        ("def get_config(seed):\n    return seed", r"odd\.py: TypeError: missing a required argument: 'seed'"),
        ("raise SystemExit(3)", r"odd\.py, line 1: SystemExit: 3"),
        (b"x = '\xe9'", r"odd\.py.*: SyntaxError: .*utf-8"),
        (b"x = 1\x00", r"odd\.py.*: (SyntaxError|ValueError): .*null bytes"),
    ],
)
def test_a_file_that_is_no_experiment_is_refused_with_its_line(text, said, tmp_path):
    path = tmp_path / "odd.py"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError, match=said) as raised:
        load_experiment(path)
    assert "\n" not in str(raised.value)


def test_what_an_experiment_says_itself_is_passed_on(tmp_path):
    path = tmp_path / "odd.py"
    path.write_text("from cvpo_jax import ConfigError\nraise ConfigError('--x is 1: make it 2')\n")
    with pytest.raises(ConfigError, match=r"^--x is 1: make it 2$"):
        load_experiment(path)


def test_overrides_replace_only_what_they_name():
    config = overridden("--algo.hidden", "32", "16", "8", "--env.id=SafetyPointGoal2-v0", "--algo.cost-limit", "7")
    assert (config.algo.hidden, config.env.id, config.algo.cost_limit) == ((32, 16, 8), "SafetyPointGoal2-v0", 7.0)
    assert config.train == Config().train


def test_constraints_are_named_in_one_word_and_none_leaves_an_option_to_the_task():
    words = ["--algo.constraints", "cost_hazards=10,cost_gremlins=2.5", "--env.hazards", "0", "--train.devices", "None"]
    config = parse_overrides(Config(), words, "", "")
    assert config.algo.constraint_limits == {"cost_hazards": 10.0, "cost_gremlins": 2.5}
    assert (config.env.hazards, config.train.devices) == (0, None)
    for text in ("cost_hazards", "cost_hazards=many", "cost_hazards=10,,"):
        with pytest.raises(ConfigError, match="name=limit"):
            parse_overrides(Config(), ["--algo.constraints", text], "", "")
    with pytest.raises(ConfigError, match="cost_hazards has two limits"):
        parse_overrides(Config(), ["--algo.constraints", "cost_hazards=10,cost_hazards=20"], "", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--algo.sample", "3"], r"Unrecognized options: --algo\.sample, 3; close to it: .*--algo\.samples"),
        (["--algo.samples", "few"], r"--algo\.samples.*'few'"),
        (["--env.backend", "unity"], r"'unity'.*--env\.backend.*'brax', *'gymnasium'"),
        (["--algo.gamma"], r"Missing value for argument '--algo\.gamma'"),
        (["stray"], "Unrecognized options: stray"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_mistakes_are_told_in_one_line_whatever_the_terminal(arguments, said, encoding, monkeypatch):
    # tyro draws its boxes by the encoding of the output.
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    with pytest.raises(ConfigError, match=said) as raised:
        overridden(*arguments)
    assert "\n" not in str(raised.value)
    assert "  " not in str(raised.value)


def test_a_file_beside_an_experiment_is_imported_unless_its_name_is_that_of_an_installed_module(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    (tmp_path / "colorsys.py").write_text("raise RuntimeError('shadowed')")
    (tmp_path / "beside_an_experiment.py").write_text("LIMIT = 7.0")
    path = tmp_path / "mine.py"
    path.write_text(
        "import colorsys\nfrom beside_an_experiment import LIMIT\nfrom cvpo_jax import AlgoConfig, Config\n"
        "colorsys.rgb_to_hsv\ndef get_config():\n    return Config(algo=AlgoConfig(cost_limit=LIMIT))\n"
    )
    before = list(sys.path)
    assert load_experiment(path).algo.cost_limit == 7.0
    assert sys.path == before


@pytest.mark.parametrize("words", [["5", "10", "25"], ["5,10,25"], ["5,", "10,", "25"]])
def test_numbers_are_written_as_words_or_between_commas(words):
    assert overridden("--algo.limits", *words).algo.limits == (5.0, 10.0, 25.0)
    assert overridden("--algo.hidden", *words).algo.hidden == (5, 10, 25)
    assert overridden("--algo.limits").algo.limits == ()
