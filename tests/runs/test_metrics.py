"""Metrics files: what is not finite, what a kill cut short, what a resume rewinds, and the names of constraints."""

import json
import math

from cvpo_jax.config.names import metric_name
from cvpo_jax.runs.metrics import read_metrics, rewind_metrics, to_json


def test_what_is_not_finite_is_null_in_json():
    assert json.loads(to_json({"a": math.nan, "b": math.inf, "c": 1.5})) == {"a": None, "b": None, "c": 1.5}


def test_several_constraints_have_their_index_in_the_names():
    assert metric_name("cost/measured", 0, 1) == "cost/measured"
    assert [metric_name("cost", index, 2) for index in range(2)] == ["cost_0", "cost_1"]


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
