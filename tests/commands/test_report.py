"""The comparison of runs, from hand-made metrics."""

import csv
import io
import json
import math
import re
from pathlib import Path

import pytest

from cvpo_jax import AlgoConfig, Config, ConfigError, TrainConfig, report
from cvpo_jax.runs.comparison.figures import summarize
from cvpo_jax.runs.comparison.records import read_record

COSTS = (200.0, 40.0, 20.0)


def write_run(folder: Path, seed: int, final_cost: float, limit: float = 30.0) -> Path:
    """A run of three evaluations; training cost is twice that of the evaluation, unknown at the end."""
    folder.mkdir()
    config = Config(algo=AlgoConfig(cost_limit=limit), train=TrainConfig(seed=seed))
    (folder / "config.json").write_text(config.to_json())
    with (folder / "metrics.jsonl").open("w") as file:
        for index, cost in enumerate((*COSTS[:2], final_cost)):
            row = {
                "step": 256_000 * (index + 1),
                "updates": 1000 * (index + 1),
                "seconds": 60.0 * (index + 1),
                "return_mean": 10.0 + index,
            }
            row |= {"cost/measured": cost + 1} if index < 2 else {}
            row |= {"cost_mean": cost, "train/cost": 2 * cost if index < 2 else None, "train/share_over_limit": 0.5}
            file.write(json.dumps(row) + "\n")
    return folder


def test_figures_of_a_run(tmp_path: Path) -> None:
    figures = summarize(read_record(write_run(tmp_path / "run", 0, COSTS[2])), last=2).figures
    assert figures["minutes"] == 3.0 and figures["updates"] == 3000
    assert (figures["return"], figures["cost"]) == (12.0, 20.0)
    assert (figures["pooled_return"], figures["pooled_cost"], figures["worst_cost"]) == (11.5, 30.0, 40.0)
    assert figures["pooled_cost_over_limit"] == 1.0
    assert figures["train_excess"] == (370 + 50) / 2
    assert figures["measured_cost"] == 41, "where it was not measured it is left out"
    assert math.isnan(figures["lam"])


def test_the_table_has_a_row_a_run_and_one_over_seeds(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    runs = [str(write_run(tmp_path / str(seed), seed, 20.0)) for seed in range(2)]
    report.command([*runs, "--last", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert lines[2].startswith("| SafetyPointGoal1-v0 | measured | 30 | 0 | 3.0 | 3,000 | 12.0 | 20.0 |")
    assert lines[4].startswith("| SafetyPointGoal1-v0 | measured | 30 | all | 3.0 ± 0 |")
    assert len({line.count("|") for line in lines}) == 1
    report.command([*runs, "--json"])
    text = capsys.readouterr().out
    assert "NaN" not in text, "which is not JSON"
    assert [(run["seed"], run["figures"]["lam"]) for run in json.loads(text)] == [(0, None), (1, None)]


FORMATS = {
    "md": lambda text: [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()],
    "csv": lambda text: list(csv.reader(io.StringIO(text))),
    "latex": lambda text: [
        line.removesuffix(r" \\").split(" & ") for line in text.splitlines() if line.endswith(r"\\")
    ],
    "html": lambda text: [re.findall(r"<t[dh]>(.*?)</t[dh]>", line) for line in text.splitlines() if "<tr" in line],
}


@pytest.mark.parametrize("form", FORMATS)
def test_each_format_has_the_same_lines(form: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    runs = [str(write_run(tmp_path / str(seed), seed, 10.0 + seed)) for seed in range(5)]
    report.command([*runs, "--last", "1", "--statistic", "iqm", "--format", form])
    cells = [row for row in FORMATS[form](capsys.readouterr().out) if set(row) != {"---"}]
    assert len(cells) == 1 + 5 + 1
    assert len({len(row) for row in cells}) == 1
    assert cells[0][:4] == ["task", "mode", "limit", "seed"]
    assert cells[-1][:4] == ["SafetyPointGoal1-v0", "measured", "30", "all"]
    at = cells[0].index("cost")
    assert float(cells[2][at]) == 11.0
    over_seeds = cells[-1][at : at + 3] if form == "csv" else re.findall(r"[\d.]+", cells[-1][at])
    value, low, high = map(float, over_seeds)
    assert (value, low, high) == (12.0, pytest.approx(10.67, abs=0.4), pytest.approx(13.33, abs=0.4))


def test_interquartile_means_end_in_a_row_over_limits(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    runs = [str(write_run(tmp_path / f"{limit}{seed}", seed, 20.0, limit)) for limit in (10.0, 40.0) for seed in (0, 1)]
    report.command([*runs, "--last", "1", "--statistic", "iqm", "--format", "csv"])
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["limit"] for row in rows] == ["10", "10", "10", "40", "40", "40", "all"]
    assert rows[-1]["return"] == "", "returns of different limits are not averaged"
    # Costs of 2 and 1/2 of their limits, the same for each seed: drawn within the limits, the mean cannot move.
    ends = [float(rows[-1][f"pooled_cost_over_limit{end}"]) for end in ("", "_low", "_high")]
    assert ends == [1.25] * 3


def test_a_run_without_evaluations_and_a_wrong_count_are_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", 0, 20.0)
    with pytest.raises(ConfigError, match="--last is 0"):
        report.command([str(run), "--last", "0"])
    (run / "metrics.jsonl").write_text('{"step": 1, "updates": 3, "seconds": 1.0, "return_mean": 0.5}\n')
    with pytest.raises(ConfigError, match=r"evaluation 1 of .* lacks cost_mean"):
        report.command([str(run)])
    (run / "metrics.jsonl").unlink()
    with pytest.raises(ConfigError, match="no evaluation yet"):
        report.command([str(run)])
