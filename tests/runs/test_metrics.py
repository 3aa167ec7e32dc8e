"""Metrics files: what is not finite, what a kill cut short, and what a resume rewinds."""

import math

from cvpo_jax.runs.console import HEADER, Logs, read_metrics, rewind_metrics

ROW = {
    "step": 100,
    "updates": 10,
    "seconds": 60.0,
    "steps_per_second": math.nan,
    "return_mean": 1.5,
    "cost_mean": 2.0,
    "cost_over_limit": math.inf,
    "cost/predicted": 3.25,
}


def test_an_evaluation_reaches_file_and_terminal(tmp_path, capsys):
    with Logs(tmp_path, 1000) as logs:
        logs.evaluation(ROW, "")
        logs.evaluation(ROW | {"step": 200}, "")
    assert "NaN" not in (tmp_path / "metrics.jsonl").read_text()
    first, second = read_metrics(tmp_path)
    assert (first["step"], second["step"], first["cost/predicted"]) == (100, 200, 3.25)
    assert math.isnan(first["steps_per_second"])
    header, line, _ = capsys.readouterr().out.splitlines()
    assert header == HEADER
    assert line.split()[:7] == ["100", "10", "1.0", "1.50", "2.0", "inf", "3.2"]


def test_a_line_cut_short_is_left_out_and_later_ones_are_forgotten(tmp_path):
    lines = '{"step": 1, "x": null}\n{"step": 2, "x": 4.0}\n{"step": 3, "x"'
    (tmp_path / "metrics.jsonl").write_text(lines)
    assert [row["step"] for row in read_metrics(tmp_path)] == [1, 2]
    rewind_metrics(tmp_path, 1)
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1, "x": null}\n'


def test_a_folder_without_metrics_has_none(tmp_path):
    assert read_metrics(tmp_path) == []
    rewind_metrics(tmp_path, 0)
    assert read_metrics(tmp_path) == []


def test_the_bar_tells_what_is_known_and_no_more(tmp_path):
    with Logs(tmp_path, 1000) as logs:
        told = []
        logs._progress.update = lambda *_, description, **__: told.append(description)
        logs.progress(10, math.nan, {})
        logs.progress(20, math.nan, {"train/return": 1.0, "train/cost": 2.0})
        logs.progress(30, 5000.0, {"train/return": 1.0, "train/cost": 2.0})
    assert told[0] == "training"
    assert "steps/s" not in told[1] and "cost    2.0" in told[1]
    assert told[2].startswith("5,000 steps/s") and "nan" not in "".join(told)
