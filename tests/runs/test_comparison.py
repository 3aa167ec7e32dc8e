"""Which runs are shown together, intervals over them, and the pictures."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from scipy import stats

from cvpo_jax import ConfigError, cli, plot
from cvpo_jax.runs.comparison.curves import draw_curves, make_curve
from cvpo_jax.runs.comparison.estimates import bootstrap, center, over_runs, student
from cvpo_jax.runs.comparison.figures import summarize
from cvpo_jax.runs.comparison.frontier import draw_frontier
from cvpo_jax.runs.comparison.records import RunRecord, each_alone, grouped, shared


def record(seed: int = 0, limit: float = 25.0, task: str = "Goal", returns=(1.0, 2.0, 3.0), costs=(9.0, 6.0, 3.0)):
    rows = [
        {"step": 1e6 * at, "updates": 1e3 * at, "seconds": 60.0 * at, "return_mean": gain, "cost_mean": cost}
        | {"return_q10": gain - 1, "return_q90": gain + 2}
        for at, (gain, cost) in enumerate(zip(returns, costs, strict=True), 1)
    ]
    return RunRecord(Path(f"runs/{task}{limit:g}-{seed}"), task, "measured", limit, seed, 1, rows)


def test_students_interval_of_two_values() -> None:
    estimate = student([20.0, 24.0])
    assert estimate.value == 22.0
    # Two values 4 apart: t(0.975, 1) = 12.706 times their standard error of 2.
    assert estimate.half == pytest.approx(25.412, abs=1e-3)


def test_the_interquartile_mean_leaves_out_the_ends() -> None:
    assert center(np.array([1.0, 2, 3, 4, 1000]), "iqm") == 3.0
    assert center(np.array([1.0, 2, 30]), "iqm") == 11.0, "of three nothing is left out"
    assert np.isnan(center(np.array([1.0, 2, 3, 4, np.nan]), "iqm")), "an unknown value is not left out unseen"


def test_the_bootstrap_agrees_with_scipys() -> None:
    values = np.random.default_rng(3).normal(size=12)
    _, low, high = bootstrap([values], "iqm")
    theirs = stats.bootstrap(
        (values,), lambda x, axis: stats.trim_mean(x, 0.25, axis), method="percentile", n_resamples=20_000, rng=1
    ).confidence_interval
    assert [low, high] == pytest.approx(list(theirs), abs=0.05 * (theirs.high - theirs.low))


def test_the_bootstrap_draws_within_each_stratum() -> None:
    """Equal values within each: a draw over all of them together would sometimes take more of one."""
    estimate = over_runs([[1.0] * 4, [3.0] * 4], "iqm")
    assert (estimate.value, estimate.low, estimate.high) == (2.0, 2.0, 2.0)
    pooled = over_runs([[1.0] * 4 + [3.0] * 4], "iqm")
    assert pooled.low < 1.6 and pooled.high > 2.4


def test_a_run_is_safe_from_the_first_of_three_evaluations_that_keep_its_limit() -> None:
    run = record(limit=5.0, returns=(9.0, 9.0, 4.0, 8.0, 9.0, 9.0), costs=(5.0, 6.0, 4.0, 4.0, 5.0, 1.0))
    figures = summarize(run, last=1).figures
    assert (figures["safe_minutes"], figures["safe_steps"]) == (3.0, 3e6), "one alone is luck"
    figures = summarize(run, last=1, good=8.0).figures
    assert (figures["safe_minutes"], figures["safe_steps"]) == (4.0, 4e6)
    assert np.isnan(summarize(run, last=1, good=8.5).figures["safe_minutes"])


def test_labels_tell_what_differs_and_the_title_what_does_not() -> None:
    records = [record(seed, limit) for limit in (10.0, 25.0) for seed in (0, 1)]
    assert [group.label for group in each_alone(records)][:2] == ["limit 10, seed 0", "limit 10, seed 1"]
    assert shared(records) == "Goal, measured mode"
    assert [group.label for group in each_alone([record(), record()])] == ["runs/Goal25-0"] * 2
    groups = grouped(records, ["limit"])
    assert [(group.label, len(group.records)) for group in groups] == [("limit 10", 2), ("limit 25", 2)]


def test_a_group_does_not_average_what_differs() -> None:
    with pytest.raises(ConfigError, match=r"--group is mode: .* over limit 10 and limit 25; add limit"):
        grouped([record(limit=10.0), record(limit=25.0)], ["mode"])


def test_a_curve_of_several_runs_is_their_mean_as_far_as_all_reach() -> None:
    longer = record(1, returns=(3.0, 4.0, 5.0, 6.0), costs=(1.0,) * 4)
    same = make_curve([record(), record(1, returns=(3.0, 4.0, 5.0))], "return", "step", "mean")
    np.testing.assert_allclose(same.center, [2, 3, 4])
    assert (same.low <= same.center).all() and (same.low < same.high).all()
    curve = make_curve([record(), longer], "return", "minutes", "mean")
    assert (curve.x[0], curve.x[-1]) == (1.0, 3.0)
    np.testing.assert_allclose(curve.center, curve.x + 1)


def test_a_single_run_has_the_quantiles_of_its_episodes() -> None:
    curve = make_curve([record()], "return", "updates", "mean")
    np.testing.assert_allclose([curve.x, curve.low, curve.high], [[1, 2, 3], [0, 1, 2], [3, 4, 5]])
    assert np.isnan(make_curve([record()], "cost", "updates", "mean").low).all(), "an older run has none"


def test_many_lines_are_told_apart_and_each_limit_is_named() -> None:
    groups = each_alone([record(seed, limit) for limit in (10.0, 25.0) for seed in range(8)])
    figure = Figure()
    draw_curves(figure, groups, "step", "mean")
    top, bottom = figure.axes
    looks = {(line.get_color(), line.get_linestyle()) for line in top.lines}
    assert len(looks) == 16
    assert [text.get_text().strip() for text in bottom.texts] == ["limit 10", "limit 25"]
    assert len(figure.legends[0].get_texts()) == 16


def test_the_frontier_joins_the_limits_of_a_task_in_their_order() -> None:
    costs = {50.0: (40.0,) * 3, 10.0: (8.0,) * 3, 25.0: (20.0,) * 3}
    records = [record(seed, limit, costs=costs[limit]) for limit in costs for seed in (0, 1)]
    figure = Figure()
    draw_frontier(figure, grouped([*records, record(task="Run", limit=25.0)], ["task", "limit"]), 2, "iqm")
    (axes,) = figure.axes
    (joined,) = [line for line in axes.lines if line.get_color() == "grey"]
    np.testing.assert_allclose(joined.get_xydata(), [[8, 2.5], [20, 2.5], [40, 2.5]])


@pytest.mark.xdist_group("tiny_run")
def test_the_ending_of_the_file_chooses_the_format(tiny_run, tmp_path, capsys) -> None:
    for name in ("a.png", "a.svg", "a.pdf"):
        words = [str(tiny_run), str(tiny_run), "--x", "cost", "--group", "task", "--out", str(tmp_path / name)]
        assert cli.main(plot.command, words) == 0
        assert capsys.readouterr().out.strip() == str(tmp_path / name)
    assert Image.open(tmp_path / "a.png").size[0] > 500
    assert ElementTree.parse(tmp_path / "a.svg").getroot().tag.endswith("svg")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--group colour", "--group is colour: name any of task, mode, limit"),
        ("--statistic iqm", "--statistic is iqm: it is over the runs of a group"),
        ("--x cost --last 0", "--last is 0"),
    ],
)
def test_what_cannot_be_drawn_is_told_in_one_line(words, said, tmp_path, capsys) -> None:
    assert cli.main(plot.command, [str(tmp_path), *words.split()]) == cli.WRONG
    assert capsys.readouterr().err.startswith(f"error: {said}")
