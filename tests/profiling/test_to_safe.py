"""How long trainings take until they are good and safe: on rows with a known answer, and on a tiny training."""

import json
import math

import pytest

from cvpo_jax import bench, cli
from cvpo_jax.profiling.to_safe import Wait, first_safe, report, table


def rows(*pairs: tuple[float, float]) -> list[dict[str, float]]:
    return [{"step": 100 * i, "return_mean": value, "cost_over_limit": cost} for i, (value, cost) in enumerate(pairs)]


def test_three_good_evaluations_in_a_row_count_from_their_first() -> None:
    good, costly, poor = (20.0, 1.0), (25.0, 1.01), (19.9, 0.1)
    assert first_safe(rows(good, good, costly, good, good, good, poor), 20) == 3
    assert first_safe(rows(good, good, poor, good, good), 20) is None
    assert first_safe([], 20) is None


def test_each_of_several_constraints_must_hold() -> None:
    both = [{"step": 0, "return_mean": 1.0, "cost_over_limit_0": 0.5, "cost_over_limit_1": cost} for cost in (0.9, 1.1)]
    assert first_safe([both[0]] * 3, 1) == 0
    assert first_safe([both[1]] * 3, 1) is None


def test_a_seed_that_never_got_there_counts_in_the_median() -> None:
    waits = [Wait(0, 60.0, 1e6, 25.0, 0.9), Wait(1), Wait(2, 90.0, 2e6, 24.0, 1.0)]
    assert "median until a return of 24 within the limit: 90 s" in table(waits, 24)
    told = report(waits, 24)
    assert told["median_seconds"] == 90.0 and told["seeds"][1]["seconds"] is None
    assert report(waits[1:2], 24)["median_seconds"] is None
    assert "not reached by most" in table([Wait(0)], 24)
    assert not math.isfinite(Wait(0).seconds)


def test_a_tiny_training_is_timed_in_a_process_of_its_own(tiny_experiment, capsys) -> None:
    arguments = [str(tiny_experiment), "--seeds", "1", "--json", "--eval.every", "1", "--algo.cost_limit", "1000"]
    assert cli.main(bench.command, [*arguments, "--to_safe", "-1000"]) == 0
    (wait,) = json.loads(capsys.readouterr().out)["seeds"]
    assert wait["seconds"] > 1 and wait["cost_over_limit"] <= 1 and wait["steps"] > 0


def test_a_training_that_fails_is_told_in_its_own_words(tiny_experiment, monkeypatch, capsys) -> None:
    monkeypatch.setenv("JAX_PLATFORMS", "no_such_device")
    assert cli.main(bench.command, [str(tiny_experiment), "--to_safe", "1", "--seeds", "1"]) == 2
    told = capsys.readouterr().err
    assert "the training of seed 0 failed" in told and "no_such_device" in told and told.count("\n") == 1


@pytest.mark.parametrize("seeds", ["0", "1001"])
def test_impossible_numbers_of_seeds_are_refused(tiny_experiment, seeds: str, capsys) -> None:
    assert cli.main(bench.command, [str(tiny_experiment), "--to_safe", "1", "--seeds", seeds]) == 2
    assert "--seeds" in capsys.readouterr().err
