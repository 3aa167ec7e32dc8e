"""The comparison of runs, from hand-made metrics."""

import json
import math
from pathlib import Path

import pytest

from cvpo_jax import AlgoConfig, Config, ConfigError, TrainConfig, report

COSTS = (200.0, 40.0, 20.0)


def write_run(folder: Path, seed: int, final_cost: float) -> Path:
    """A run of three evaluations; training cost is twice that of the evaluation, unknown at the end."""
    folder.mkdir()
    config = Config(algo=AlgoConfig(cost_limit=30.0), train=TrainConfig(seed=seed))
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
    figures = report.summarize(write_run(tmp_path / "run", 0, COSTS[2]), last=2).figures
    assert figures["minutes"] == 3.0 and figures["updates"] == 3000
    assert (figures["return"], figures["cost"]) == (12.0, 20.0)
    assert (figures["pooled_return"], figures["pooled_cost"], figures["worst_cost"]) == (11.5, 30.0, 40.0)
    assert figures["train_excess"] == (370 + 50) / 2
    assert figures["measured_cost"] == 41, "where it was not measured it is left out"
    assert math.isnan(figures["lam"])


def test_the_interval_over_seeds_is_students(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / str(seed), seed, cost) for seed, cost in enumerate((20.0, 24.0))]
    mean, half = report.over_seeds([report.summarize(run, last=1) for run in runs])["cost"]
    assert mean == 22.0
    # Two values 4 apart: t(0.975, 1) = 12.706 times their standard error of 2.
    assert half == pytest.approx(25.412, abs=1e-3)


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
