"""Timing in windows, and the benchmark of a tiny experiment."""

import json
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy_host import ToyEnv

from cvpo_jax import bench, cli
from cvpo_jax.profiling import host_envs, reset_cost
from cvpo_jax.profiling.timing import Measurement, Window, measure
from cvpo_jax.training import trainer
from envs.base import Episode, State, episode_of, with_episode
from envs.host.vector import HostVectorEnv

PIECES = ["environment", "collection", "update", "critics", "Q of samples", "dual", "M-step", "rest"]


def test_a_known_time_is_measured():
    def sleep(x):
        time.sleep(0.05)
        return x + 1

    @jax.jit
    def slow(x):
        return (jax.pure_callback(sleep, jax.ShapeDtypeStruct((), jnp.float32), x),)

    result, (x,) = measure("sleep", "naps/s", 10, slow, (jnp.float32(0),), Window(count=3, seconds=0.1))
    assert len(result.rates) == 3
    assert all(100 < rate <= 200 for rate in result.rates), "10 units a call of 0.05 s"
    assert x >= 1 + 3 * 2, "one call before the clock starts, at least two a window"
    assert result.compile_seconds > 0


def test_median_and_spread_of_windows():
    result = Measurement("x", "steps/s", 1.5, (100.0, 80.0, 1000.0))
    assert result.median == 100.0
    assert result.spread == pytest.approx(9.2)
    summary = result.summary()
    assert (summary["per_second_low"], summary["per_second_high"], summary["windows"]) == (80.0, 1000.0, 3)


def test_mistakes_are_told(tiny_experiment, capsys):
    assert cli.main(bench.command, []) == 2
    assert cli.main(bench.command, [str(tiny_experiment), "--windows", "0"]) == 2
    assert capsys.readouterr().err.count("\n") == 2


@pytest.mark.slow
def test_every_piece_of_an_experiment_is_measured(tiny_experiment, capsys, monkeypatch):
    monkeypatch.setattr(jax.config, "update", lambda *_: None)  # keep the cache of compiled programs here
    arguments = [str(tiny_experiment), "--windows", "2", "--seconds", "0.01", "--json"]
    assert cli.main(bench.command, arguments) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["flops_per_update"] > 1e5
    assert report["peak_host_bytes"] > 1e8
    names = [row["name"].strip() for row in report["measurements"]]
    assert names == [*PIECES, "evaluation", "training"]
    for row in report["measurements"]:
        assert 0 < row["per_second_low"] <= row["per_second"] <= row["per_second_high"]
        assert row["compile_seconds"] > 0
        assert row["windows"] == 2


@pytest.mark.slow
def test_sac_lagrangian_has_parts_of_its_own(tiny_experiment, capsys, monkeypatch):
    monkeypatch.setattr(jax.config, "update", lambda *_: None)
    arguments = [str(tiny_experiment), "--windows", "1", "--seconds", "0.01", "--json", "--algo.name", "sac_lag"]
    assert cli.main(bench.command, arguments) == 0
    names = [row["name"].strip() for row in json.loads(capsys.readouterr().out)["measurements"]]
    assert names == [*PIECES[:4], "policy", "rest", "evaluation", "training"]


def test_the_environments_alone_are_measured(tiny_experiment, capsys, monkeypatch):
    monkeypatch.setattr(jax.config, "update", lambda *_: None)
    arguments = [str(tiny_experiment), "--windows", "1", "--seconds", "0.01", "--environment"]
    assert cli.main(bench.command, arguments) == 0
    first = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert first == ["median", "environment", "peak", "step"]
    assert cli.main(bench.command, [*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["resets"]
    assert told["resets_per_step"] == 16 / 50, "16 environments, each in a phase of its own"
    assert told["share_of_stepping"] == pytest.approx(0.32 * told["reset_seconds"] / told["step_seconds"])


def test_what_resets_add_to_stepping() -> None:
    """Four steps of 20 ms a call; a reset in each that ends an episode takes 40 ms."""

    def run(state, keys):
        ends = np.asarray(episode_of(state).length - episode_of(state).steps)
        time.sleep(sum(0.02 + 0.04 * bool(np.any(ends == step)) for step in range(1, 5)))
        return state, keys

    zero = jnp.zeros((1, 8), jnp.int32)
    state = with_episode(State(None, jnp.zeros((1, 8, 1)), zero, zero), Episode(steps=zero, length=zero))
    result = reset_cost.measure_resets(run, state, jnp.zeros((1, 2)), 4, 100, Window(count=3, seconds=0.02))
    assert result.step_seconds == pytest.approx(0.02, rel=0.4)
    assert result.reset_seconds == pytest.approx(0.04, rel=0.4)
    assert result.resets_per_step == 0.08
    assert result.share == pytest.approx(0.08 * result.reset_seconds / result.step_seconds)
    with pytest.raises(ValueError, match="fewer than the 4 of an episode"):
        reset_cost.measure_resets(run, state, jnp.zeros((1, 2)), 4, 4, Window(count=1, seconds=0.0))


@pytest.mark.slow
def test_host_environments_are_measured_and_compared_with_the_package_s_own(tiny_experiment, capsys, monkeypatch):
    """They cannot go back: each measurement has to go on from the state that the one before it left."""
    monkeypatch.setattr(jax.config, "update", lambda *_: None)
    monkeypatch.setattr(trainer, "make_env", lambda config, count, **_: HostVectorEnv(ToyEnv, count, num_workers=1))
    monkeypatch.setattr(host_envs, "compare", lambda *given: {"given": given})
    arguments = [str(tiny_experiment), "--windows", "1", "--seconds", "0.01", "--json", "--env.backend", "gymnasium"]
    assert cli.main(bench.command, arguments) == 0
    report = json.loads(capsys.readouterr().out)
    assert [row["name"].strip() for row in report["measurements"]] == [*PIECES, "evaluation", "training"]
    task_id, workers, windows = report["genuine"]["given"]
    assert (task_id, windows) == ("SafetyPointCircle1-v0", 1) and 1 <= workers <= 16
