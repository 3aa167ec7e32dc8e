"""The search for options: its space, what is asked again, and, where Optuna is installed, what it finds."""

import json
import sys
from dataclasses import replace

import pytest
from toy_trainings import use_toys

from cvpo_jax import AlgoConfig, Config, ConfigError, EnvConfig, EvalConfig, TrainConfig, cli, search
from cvpo_jax.sweeps.search import OPTIONS, Dimension, Search, best, parse_space, run_search, told, within

LIMIT = 5.0
CONFIG = Config(
    env=EnvConfig(num_envs=8),
    algo=AlgoConfig(hidden=(8,), batch_size=16, samples=4, n_step=2, recent_steps=64, cost_limit=LIMIT),
    train=TrainConfig(
        seed=5, steps=150, epoch_steps=64, warmup_steps=64, updates_per_step=1 / 16, replay_size=256, devices=2
    ),
    eval=EvalConfig(episodes=4, every=1),
)


def make_search(folder, space="algo.gamma=0.1..0.9", points=4, **changed):
    return replace(Search(CONFIG, parse_space(space.split()), folder, points, 1, 2, 1), **changed)


@pytest.fixture
def open_study():
    optuna = pytest.importorskip("optuna", reason=search.MISSING)
    return lambda made: search.open_study(optuna, made)


def finish(trial, gain, cost):
    """Leave behind what a finished training does."""
    (trial.run_dir / "checkpoints" / str(trial.config.scale.steps)).mkdir(parents=True)
    (trial.run_dir / "config.json").write_text(trial.config.to_json())
    row = {"step": trial.config.scale.steps, "seconds": 1.0, "return_mean": gain, "cost_mean": cost}
    (trial.run_dir / "metrics.jsonl").write_text(json.dumps(row) + "\n")


def pretend(every, now):
    """Return and cost grow with gamma: the best within the limit of 5 is a gamma of 0.5."""
    for trial in now:
        if trial.status != "done":
            finish(trial, trial.config.algo.gamma, 10 * trial.config.algo.gamma)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("algo.kl_estep=0.05..0.4:log", Dimension("algo.kl_estep", (), 0.05, 0.4, log=True)),
        ("--algo.kl-estep=5e-2..1", Dimension("algo.kl_estep", (), 0.05, 1.0)),
        ("algo.n_step=2..8", Dimension("algo.n_step", (), 2.0, 8.0, whole=True)),
        ("algo.n_step=2,8", Dimension("algo.n_step", ("2", "8"))),
        ("algo.hidden=32 32;64 64", Dimension("algo.hidden", ("32 32", "64 64"))),
    ],
)
def test_a_space_is_read_as_it_is_written(text, expected):
    assert parse_space([text]) == (expected,)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("algo.gamma", "is not of the form"),
        ("algo.gamma=", "is not of the form"),
        ("algo.gamma=0.9..0.1", "is not of the form"),
        ("algo.gamma=0.1..nan", "is not of the form"),
        ("algo.gamma=0.1..0.9:linear", "is not of the form"),
        ("algo.gamma=0..0.9:log", "begins above 0"),
        ("train.seed=0..3", "--seeds and --sweep_dir set it"),
        ("algo.gamma=0.1..0.9 algo.gamma=0.9,0.99", "twice"),
        ("algo.gama=0.1..0.9", "--algo.gama"),
        ("algo.gamma=0.1..1.9", "--algo.gamma is 1.9"),
    ],
)
def test_a_space_that_cannot_be_searched_is_refused(text, said, tmp_path):
    with pytest.raises(ConfigError, match=said):
        make_search(tmp_path, text).check()


def test_without_optuna_one_line_says_how_to_install_it(tiny_experiment, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "optuna", None)
    folder = tmp_path / "search"
    words = [str(tiny_experiment), "--space", "algo.gamma=0.1..0.9", "--sweep_dir", str(folder)]
    assert cli.main(search.command, words) == cli.WRONG
    assert capsys.readouterr() == ("", f"error: {search.MISSING}\n")
    assert not folder.exists()


@pytest.mark.parametrize("word", ["--points=0", "--at_once=0", "--seeds=0", "--last=0", "--per_device=0"])
def test_counts_below_one_are_refused(word, tiny_experiment, capsys):
    assert cli.main(search.command, [str(tiny_experiment), "--space", "algo.gamma=0.1..0.9", word]) == cli.WRONG
    assert f"{word.partition('=')[0]} is 0: at least 1 is needed" in capsys.readouterr().err


def test_it_finds_the_most_that_the_limit_allows(tmp_path, open_study):
    made = make_search(tmp_path, points=40, at_once=8)
    study = open_study(made)
    rounds = []
    assert run_search(made, study, lambda every, now: (rounds.append((len(every), len(now))), pretend(every, now)))
    assert rounds == [(8, 8), (16, 8), (24, 8), (32, 8), (40, 8)]
    found = best(study)
    assert within(found) and 0.45 < found.value <= 0.5
    assert any(not within(point) and point.value > found.value for point in study.trials)
    assert float(found.user_attrs[OPTIONS]["algo.gamma"]) == pytest.approx(found.params["algo.gamma"], rel=1e-3)


def test_where_none_keeps_the_limit_the_closest_is_best(tmp_path, open_study):
    made = make_search(tmp_path, "algo.gamma=0.6..0.9")
    study = open_study(made)
    assert run_search(made, study, pretend)
    assert not within(best(study)) and best(study).value == min(point.value for point in study.trials)


def test_what_was_being_trained_is_asked_again_and_nothing_twice(tmp_path, open_study):
    made = make_search(tmp_path)
    asked = []

    def stop_in_the_second_round(every, now):
        asked.append([trial.run_dir.name for trial in now])
        if len(asked) != 2:
            pretend(every, now)

    assert not run_search(made, open_study(made), stop_in_the_second_round)
    study = open_study(made)
    assert len(told(study)) == 2
    assert run_search(made, study, stop_in_the_second_round)
    assert asked[2] == asked[1] and len(asked) == 3
    assert run_search(replace(made, points=6), open_study(made), stop_in_the_second_round)
    assert len(asked) == 4 and not set(asked[3]) & set(asked[0] + asked[1])


def test_a_training_that_failed_counts_but_is_not_best(tmp_path, open_study):
    made = make_search(tmp_path)
    study = open_study(made)

    def fail_one(every, now):
        pretend(every, now)
        (now[0].run_dir / "problem.txt").write_text("not finite\n")

    assert run_search(made, study, fail_one)
    assert [point.state.name for point in study.trials] == ["FAIL", "COMPLETE"] * 2
    assert best(study).number in (1, 3)
    pretended = make_search(tmp_path / "all", points=1, at_once=1)
    assert run_search(pretended, failed := open_study(pretended), fail_one) and best(failed) is None


def test_another_space_or_experiment_needs_a_folder_of_its_own(tmp_path, open_study):
    made = make_search(tmp_path)
    assert run_search(made, open_study(made), pretend)
    config = replace(CONFIG, algo=replace(CONFIG.algo, n_step=3))
    for other in (make_search(tmp_path, "algo.gamma=0.2..0.9"), replace(made, config=config), replace(made, seeds=2)):
        with pytest.raises(ConfigError, match=r"name another --sweep_dir"):
            run_search(other, open_study(other), pretend)


@pytest.mark.xdist_group("toys")
def test_points_are_trained_together_and_the_best_is_told(tmp_path, open_study, monkeypatch, capsys):
    use_toys(monkeypatch)
    experiment = tmp_path / "toy.py"
    experiment.write_text(f"from cvpo_jax import *\n\n\ndef get_config():\n    return {CONFIG!r}\n")
    words = [str(experiment), "--space", "algo.kl_estep=0.05..0.4:log", "--points", "4", "--at_once", "4"]
    assert cli.main(search.command, [*words, "--per_device", "2", "--sweep_dir", str(tmp_path / "search")]) == 0
    said = capsys.readouterr().out
    assert "1 of 1: 4 trial(s) on 2 cpu device(s)" in said
    assert said.splitlines()[-1].startswith(f"python -m cvpo_jax.run {experiment} --algo.kl_estep 0.")
    assert len((tmp_path / "search" / "sweep.csv").read_text().splitlines()) == 5
