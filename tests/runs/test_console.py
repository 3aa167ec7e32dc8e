"""What a run says on the terminal, and in its metrics file at the same time."""

import math

from cvpo_jax.runs.console import HEADER, Logs
from cvpo_jax.runs.metrics import read_metrics

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
        logs.evaluation(ROW, 1)
        logs.evaluation(ROW | {"step": 200}, 1)
    assert "NaN" not in (tmp_path / "metrics.jsonl").read_text()
    first, second = read_metrics(tmp_path)
    assert (first["step"], second["step"], first["cost/predicted"]) == (100, 200, 3.25)
    assert math.isnan(first["steps_per_second"])
    header, line, _ = capsys.readouterr().out.splitlines()
    assert header == HEADER
    assert line.split()[:7] == ["100", "10", "1.0", "1.50", "2.0", "inf", "3.2"]


def test_of_several_constraints_the_terminal_shows_the_first(tmp_path, capsys):
    several = {name.replace("cost", "cost_0", 1) if name == "cost_mean" else name: x for name, x in ROW.items()}
    several |= {"cost_over_limit_0": 0.5, "cost/predicted_0": 7.5, "cost/pressure_0": 0.25, "cost_1_mean": 99.0}
    with Logs(tmp_path, 1000) as logs:
        logs.evaluation(several, 2)
    assert capsys.readouterr().out.splitlines()[1].split()[4:8] == ["2.0", "0.50", "7.5", "0.25"]


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


def test_of_several_limits_the_terminal_shows_return_and_cost_of_each(tmp_path, capsys):
    each = {"return_0_mean": 1.0, "cost_0_mean": 1.5, "return_1_mean": 2.0, "cost_1_mean": 2.5}
    with Logs(tmp_path, 1000) as logs:
        logs.evaluation(ROW | each, 1, (5.0, 12.5))
    header, line = capsys.readouterr().out.splitlines()[:2]
    assert header.startswith(HEADER) and header.split()[-4:] == ["limit", "5", "limit", "12.5"]
    assert line.split()[3:6] == ["1.50", "2.0", "inf"]
    assert line.split()[-6:] == ["1.00", "@", "1.5", "2.00", "@", "2.5"]
    assert len(header) == len(line)
