"""Experiment files and overrides."""

import io
import sys

import pytest

from cvpo_jax import Config, ConfigError
from cvpo_jax.experiment import load_experiment, parse_overrides


def overridden(*arguments):
    return parse_overrides(Config(), arguments, "prog", "description")


def test_experiments_that_come_with_the_project_are_valid():
    for name in ("goal", "button", "circle"):
        config = load_experiment(f"experiments/point_{name}.py").validate()
        assert config.env.id == f"SafetyPoint{name.title()}1-v0"


@pytest.mark.parametrize(
    ("text", "said"),
    [("x = 1", r"get_config\(\)"), ("def get_config():\n    return {}", "returned dict")],
)
def test_a_file_that_is_no_experiment_is_refused(text, said, tmp_path):
    path = tmp_path / "odd.py"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_experiment(path)


def test_overrides_replace_only_what_they_name():
    config = overridden("--algo.hidden", "32", "16", "8", "--env.id=SafetyPointGoal2-v0", "--algo.cost-limit", "7")
    assert (config.algo.hidden, config.env.id, config.algo.cost_limit) == ((32, 16, 8), "SafetyPointGoal2-v0", 7.0)
    assert config.train == Config().train


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
