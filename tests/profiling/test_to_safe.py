"""How long trainings take until they are good and safe: on rows with a known answer, and on a tiny training."""

import json
import math

import pytest

from cvpo_jax import bench, cli
from cvpo_jax.profiling.to_safe import Wait, _is_safe, report, table
from cvpo_jax.runs.comparison.figures import first_confirmed


def row(value: float, **costs: float) -> dict[str, float]:
    return {"step": 0, "return_mean": value, **costs}


def test_three_good_evaluations_in_a_row_count_from_their_first() -> None:
    assert first_confirmed([True, True, False, True, True, True, False]) == 3
    assert first_confirmed([True, True, False, True, True]) is None
    assert first_confirmed([]) is None


def test_safe_is_what_is_good_and_keeps_every_limit_a_limit_of_nothing_included() -> None:
    assert _is_safe(row(20.0, cost_mean=25.0, cost_limit=25.0), 20)
    assert _is_safe(row(20.0, cost_mean=0.0, cost_limit=0.0), 20)
    assert not _is_safe(row(19.9, cost_mean=0.0, cost_limit=25.0), 20)
    two = {"cost_0_mean": 1.0, "cost_limit_0": 1.0, "cost_1_mean": 2.0}
    assert _is_safe(row(20.0, **two, cost_limit_1=2.0), 20)
    assert not _is_safe(row(20.0, **two, cost_limit_1=1.9), 20)


def test_a_seed_that_never_got_there_counts_in_the_median() -> None:
    waits = [Wait(0, 60.0, 1e6, 25.0, 0.9), Wait(1), Wait(2, 90.0, 2e6, 24.0, 1.0)]
    assert "median until a return of 24 within the limit: 90 s" in table(waits, 24)
    told = report(waits, 24)
    assert told["median_seconds"] == 90.0 and told["seeds"][1]["seconds"] is None
    assert report(waits[1:2], 24)["median_seconds"] is None
    assert "not reached by most" in table([Wait(0)], 24)
    assert not math.isfinite(Wait(0).seconds)


@pytest.mark.xdist_group("tiny_run")  # whose program it finds in the cache
def test_a_tiny_training_is_timed_in_a_process_of_its_own(tiny_experiment, tiny_run, capsys) -> None:
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
