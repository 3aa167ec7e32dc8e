"""A run at several limits: what it writes and shows, its policy at each of them, and that it resumes to the bit."""

import json
import shutil

import jax
import numpy as np
import pytest
from stored_run import differences

from cvpo_jax import ConfigError, cli, evaluate, export, load_policy, plot, report, run
from cvpo_jax.experience.limit_input import limit_feature
from cvpo_jax.runs.directory import load_config
from cvpo_jax.runs.export import files, shown
from cvpo_jax.runs.metric_keys import metric_names
from cvpo_jax.runs.metrics import read_metrics, row_at
from cvpo_jax.runs.policy import load_state, make_policy

pytestmark = pytest.mark.xdist_group("run at several limits")
LIMITS = (5.0, 20.0)
OPTIONS = ("--algo.limits", "5,20", "--algo.cost_limit", "25")


@pytest.fixture(scope="module", params=["sac_lag"])
def limits_run(request, tiny_experiment, tmp_path_factory):
    """A finished run; copy it to change it.

    Of SAC-Lagrangian, which compiles sooner, where the commands treat both algorithms alike.
    """
    run_dir = tmp_path_factory.mktemp("runs") / request.param
    words = [str(tiny_experiment), "--run_dir", str(run_dir), "--algo.name", request.param, *OPTIONS]
    assert cli.main(run.command, words) == 0
    return run_dir


of_either = pytest.mark.parametrize("limits_run", ["cvpo", "sac_lag"], indirect=True)


def said(command, capsys, *arguments):
    """What a command prints, and to which stream."""
    capsys.readouterr()
    status = cli.main(command, [str(word) for word in arguments])
    printed = capsys.readouterr()
    assert (status == 0) == (not printed.err)
    return printed.out + printed.err


@of_either
def test_a_row_has_return_and_cost_of_each_limit(limits_run):
    config = load_config(limits_run)
    assert config.algo.limits == LIMITS
    for row in read_metrics(limits_run):
        assert set(row) == set(metric_names(1, config.algo.name, 2))
        assert row["return_mean"] == pytest.approx((row["return_0_mean"] + row["return_1_mean"]) / 2, abs=1e-4)
        assert row["cost_over_limit"] == max(row["cost_over_limit_0"], row["cost_over_limit_1"])
        assert row["cost/pressure"] == pytest.approx((row["cost/pressure_0"] + row["cost/pressure_1"]) / 2, abs=1e-5)


@of_either
def test_a_row_at_a_limit_is_that_of_a_run_at_this_limit_alone(limits_run):
    row = read_metrics(limits_run)[-1]
    alone = row_at(row, 1, 2)
    assert set(alone) == set(metric_names(1, load_config(limits_run).algo.name))
    assert alone["cost_mean"] == row["cost_1_mean"] and alone["cost_limit"] == 20
    assert alone["cost/pressure"] == row["cost/pressure_1"] and alone["step"] == row["step"]


@of_either
def test_the_policy_at_a_limit_is_the_one_that_is_told_it(limits_run):
    whole = make_policy(load_state(limits_run))
    size = load_state(limits_run).static.observation_size - 1
    values = jax.random.normal(jax.random.PRNGKey(0), (100, size)) * 2
    for limit in (5.0, 20.0, 12.5):
        told = np.concatenate([values, np.full((100, 1), limit_feature(limit))], 1)
        np.testing.assert_allclose(load_policy(limits_run, limit=limit)(values), whole(told), atol=1e-5)
    different = np.abs(load_policy(limits_run, limit=5)(values) - load_policy(limits_run, limit=20)(values))
    assert different.max() > 1e-4


@pytest.mark.parametrize("limit", [None, 4.0, 21.0])
def test_a_limit_that_the_policy_does_not_know_is_refused_with_the_choices(limit, limits_run):
    with pytest.raises(ConfigError, match=r"5, 20.*one between"):
        load_policy(limits_run, limit=limit)


def test_evaluate_shows_every_limit_or_the_one_that_is_named(limits_run, capsys):
    lines = said(evaluate.command, capsys, limits_run, "--episodes", 4).splitlines()
    assert [line.split()[0] for line in lines] == ["limit", "5", "20"]
    rows = json.loads(said(evaluate.command, capsys, limits_run, "--episodes", 4, "--json"))
    assert [row["cost_limit"] for row in rows] == [5, 20]
    one = json.loads(said(evaluate.command, capsys, limits_run, "--episodes", 4, "--json", "--limit", 20))
    assert one == rows[1]
    between = json.loads(said(evaluate.command, capsys, limits_run, "--episodes", 4, "--json", "--limit", 10))
    assert between["cost_limit"] == 10


@pytest.mark.parametrize("kind", ["npz", "stablehlo", "onnx"])
def test_an_export_takes_the_observations_of_the_environment(kind, limits_run, tmp_path, capsys):
    try:
        files.require_packages(kind)
    except ConfigError as error:
        pytest.skip(str(error))
    out = tmp_path / f"gait.{kind}"
    said(export.command, capsys, limits_run, "--limit", 20, "--format", kind, "--out", out)
    policy = load_policy(limits_run, limit=20)
    size = load_state(limits_run).static.observation_size - 1
    values = np.random.default_rng(0).normal(size=(50, size)).astype(np.float32)
    np.testing.assert_allclose(files.decode(out.read_bytes(), kind)(values), policy(values), atol=1e-5)
    card = json.loads(out.with_suffix(".json").read_text())
    assert card["limits"] == {"cost": 20} and card["observation"]["size"] == size
    last = read_metrics(limits_run)[-1]
    assert card["measured"]["return"]["mean"] == last["return_1_mean"]
    if kind == "npz":
        assert shown.read(out).config.algo.cost_limit == 20


def test_an_export_between_two_limits_was_never_measured(limits_run, tmp_path, capsys):
    said(export.command, capsys, limits_run, "--limit", 10, "--out", tmp_path / "gait.npz")
    card = json.loads((tmp_path / "gait.json").read_text())
    assert card["limits"] == {"cost": 10} and card["measured"] is None
    assert "choose one of them" in said(export.command, capsys, limits_run)


def test_reports_and_pictures_show_each_limit(limits_run, tmp_path, capsys):
    found = json.loads(said(report.command, capsys, limits_run, "--json"))
    assert [summary["limit"] for summary in found] == [5, 20]
    last = read_metrics(limits_run)[-1]
    assert [summary["figures"]["return"] for summary in found] == [last["return_0_mean"], last["return_1_mean"]]
    assert said(plot.command, capsys, limits_run, "--out", tmp_path / "curves.png").strip().endswith("curves.png")
    said(plot.command, capsys, limits_run, "--x", "cost", "--out", tmp_path / "frontier.png")
    table = plot.table(limits_run)
    assert [line.split()[0] for line in table.splitlines()[-2:]] == ["5", "20"]


@of_either
def test_a_resumed_run_equals_one_never_stopped(limits_run, tmp_path):
    copied = shutil.copytree(limits_run, tmp_path / "run")
    shutil.rmtree(copied / "checkpoints" / "2256")
    assert cli.main(run.command, ["--resume", str(copied)]) == 0
    assert differences(limits_run, copied) == []


def test_the_limits_of_a_run_stay(limits_run, capsys):
    error = said(run.command, capsys, "--resume", limits_run, "--algo.limits", 5, 10, "--train.steps", 9000)
    assert "--algo.limits is (5.0, 10.0)" in error and "a resumed run keeps it" in error
