"""Metrics files: what is not finite, what a kill cut short, what a resume rewinds, and the names of constraints."""

import errno
import json
import math
import os

import pytest

from cvpo_jax import ConfigError
from cvpo_jax.config.names import metric_name
from cvpo_jax.runs.metrics import read_metrics, rewind_metrics, to_json


def failing(number):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    return fail


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


def test_a_damaged_line_is_named_with_the_remedy(tmp_path):
    for bad in ("[1, 2]", '{"step": "x"}', '{"x": 1.0}', "null", '{"step": 1, "x"', '{"step": true}', "\x00"):
        (tmp_path / "metrics.jsonl").write_text(f'{{"step": 1}}\n{bad}\n{{"step": 3}}\n')
        with pytest.raises(ConfigError, match=r"line 2 of .*metrics\.jsonl is damaged .*: delete that line"):
            read_metrics(tmp_path)
    (tmp_path / "metrics.jsonl").write_bytes(b'{"step": 1}\n\xff\xfe\n')
    with pytest.raises(ConfigError, match="line 2"):
        read_metrics(tmp_path)


def test_a_rewind_that_fails_leaves_everything(tmp_path, monkeypatch):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n')
    monkeypatch.setattr("os.fsync", failing(errno.ENOSPC))
    with pytest.raises(OSError, match="No space left"):
        rewind_metrics(tmp_path, 1)
    assert len(read_metrics(tmp_path)) == 2
