"""The stored results: every training can be read, lies where the template says, and is in the manifest."""

import importlib.util

import pytest
from paths import ROOT

from cvpo_jax.config import ConfigError
from cvpo_jax.config.load import load_experiment, parse_overrides
from cvpo_jax.runs.directory import load_config


@pytest.fixture(scope="module")
def script():
    """The script, which lies outside the packages."""
    spec = importlib.util.spec_from_file_location("results_manifest", ROOT / "benchmarks" / "results_manifest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def trainings(script):
    """All stored trainings."""
    return script.stored()


def test_every_folder_follows_the_template_and_holds_both_files(trainings):
    assert trainings
    for training in trainings:
        assert training.parts["seed"] == str(training.config.train.seed), training.path
        assert training.parts["envs"].split("envs")[0] == str(training.config.env.num_envs), training.path
        files = {path.name for path in (ROOT / training.path).iterdir()}
        assert files == {"config.json", "metrics.jsonl"}, training.path


def test_a_variant_named_after_a_limit_has_that_limit(trainings):
    for training in trainings:
        if training.parts["variant"].startswith("limit"):
            assert training.parts["variant"] == f"limit{training.config.algo.cost_limit:g}", training.path
            assert training.config.algo.limit_mode == "measured", training.path


def test_every_stored_configuration_can_be_loaded(trainings):
    for training in trainings:
        assert load_config(ROOT / training.path).controller == training.config.controller


def test_no_stored_configuration_names_a_folder_of_the_machine_it_was_made_on(trainings):
    for training in trainings:
        assert (training.config.env.folder, training.config.run_dir) == (None, None), training.path


def test_results_hold_nothing_else():
    known = {"README.md", "manifest.csv", "figures", "policies", "speed", "training"}
    assert {path.name for path in (ROOT / "results").iterdir()} == known


def test_the_manifest_is_up_to_date_without_git(script, trainings, monkeypatch):
    monkeypatch.setattr(script, "git", lambda *_: pytest.fail("a stored row needs no history"))
    table = script.rows(trainings, script.read())
    assert script.MANIFEST.read_text() == script.written(table), "run python benchmarks/results_manifest.py"
    assert not script.problems(trainings, table)


def test_the_command_gives_the_stored_configuration(script, trainings):
    own = [training for training in trainings if training.config.env.is_own]
    assert own, "examples of experiments/own"
    for training in [*trainings[::7], *own]:
        words = script.command(training, trainings).removeprefix("python -m cvpo_jax.run ").split()
        if "_" in training.parts["envs"]:
            continue
        config = parse_overrides(load_experiment(ROOT / words[0]), words[1:], "test", "").complete()
        stored = training.config
        assert (config.algo, config.controller, config.eval) == (stored.algo, stored.controller, stored.eval)
        assert (config.env.id, config.env.episode_length) == (stored.env.id, stored.env.episode_length)
        assert config.train.steps == stored.train.steps and config.env.num_envs == stored.env.num_envs


def test_a_new_training_gets_its_row_from_files_and_history(script, trainings, monkeypatch):
    monkeypatch.setattr(script, "git", lambda command, *_: {"hash-object": "blob", "log": "abc1234 def5678"}[command])
    training = next(each for each in trainings if each.ended_early)
    (row,) = script.rows([training], {})
    assert row["commit"] == "abc1234" and row["note"] == training.ended_early
    assert script.problems([training], [row]) == [f"{training.path}: fill in its machine"]


def test_a_training_elsewhere_is_refused(script):
    with pytest.raises(ValueError, match="is not of the form"):
        _ = script.Training("results/training/point_goal/seed0").parts
    with pytest.raises(ConfigError):
        load_config(ROOT / "results" / "training")
