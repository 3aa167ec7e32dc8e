"""Policies from run directories, and their evaluation, pictures and tables."""

import json
import shutil

import jax
import numpy as np
import pytest
from PIL import Image

from cvpo_jax import ConfigError, cli, evaluate, load_policy, plot
from cvpo_jax.algorithm.update import normalize_observation
from cvpo_jax.runs.checkpoint import CheckpointError
from cvpo_jax.runs.metrics import read_metrics
from cvpo_jax.runs.policy import load_state

pytestmark = pytest.mark.xdist_group("tiny_run")  # compiled once, by one worker


def test_a_policy_gives_the_mean_and_with_a_key_a_sample(tiny_run):
    policy, state = load_policy(tiny_run), load_state(tiny_run)
    observation = jax.random.normal(jax.random.PRNGKey(0), (4000, state.static.observation_size))[:1].repeat(4000, 0)
    gaussian = state.static.actor.apply(state.average_actor, normalize_observation(state, observation[0]))
    np.testing.assert_allclose(policy(observation[0]), np.clip(gaussian.mean, -1, 1), atol=1e-6)
    assert policy(observation).shape == (4000, 2)
    sample = policy(observation, jax.random.PRNGKey(1))
    np.testing.assert_array_equal(sample, policy(observation, jax.random.PRNGKey(1)))
    assert not np.array_equal(sample, policy(observation, jax.random.PRNGKey(2)))
    assert np.all(np.abs(sample) <= 1)
    inside = np.abs(gaussian.mean) + 4 * np.asarray(gaussian.scale) < 1
    spread = np.asarray(sample).std(0)
    assert np.all(spread > 0.02)
    np.testing.assert_allclose(spread[inside], np.asarray(gaussian.scale)[inside], rtol=0.1)


def test_an_earlier_checkpoint_can_be_loaded(tiny_run):
    assert int(load_state(tiny_run, step=1744).env_steps) == 1744
    with pytest.raises(CheckpointError, match="--step is 5"):
        load_policy(tiny_run, step=5)
    with pytest.raises(ConfigError, match=r"config\.json"):
        load_policy("nowhere")


def evaluated(capsys, *arguments):
    capsys.readouterr()
    assert cli.main(evaluate.command, [*map(str, arguments)]) == 0
    return capsys.readouterr().out


def test_evaluation_depends_on_seed_and_policy_only(tiny_run, capsys):
    common = (tiny_run, "--episodes", 8, "--json")
    row = json.loads(evaluated(capsys, *common))
    assert row == json.loads(evaluated(capsys, *common))
    assert (row["step"], row["episodes"], row["seed"], row["cost_limit"]) == (2256, 8, 0, 5.0)
    other = json.loads(evaluated(capsys, *common, "--seed", 1))
    stochastic = json.loads(evaluated(capsys, *common, "--stochastic"))
    assert len({r["return_mean"] for r in (row, other, stochastic)}) == 3
    assert row["return_q10"] <= row["return_q50"] <= row["return_q90"]
    assert "return_mean" in evaluated(capsys, *common[:-1])


@pytest.mark.parametrize("arguments", [["nowhere"], ["RUN", "--episodes", "0"], ["RUN", "--step", "5"]])
def test_mistakes_are_told_in_one_line(arguments, tiny_run, capsys):
    capsys.readouterr()
    assert cli.main(evaluate.command, [str(tiny_run) if word == "RUN" else word for word in arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_run_at_one_limit_takes_none(tiny_run, capsys):
    assert cli.main(evaluate.command, [str(tiny_run), "--limit", "5"]) == 2
    assert "leave the option out" in capsys.readouterr().err


def test_curves_of_several_runs_in_one_picture(tiny_run, tmp_path, capsys):
    assert cli.main(plot.command, [str(tiny_run), str(tiny_run), "--out", str(tmp_path / "both.png")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "both.png")
    pixels = np.asarray(Image.open(tmp_path / "both.png").convert("RGB"))
    assert min(pixels.shape[:2]) > 500
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 50, "an empty picture has few colors"


def test_table_shows_the_last_evaluation_at_most_so_many_and_the_best(tiny_run):
    lines = plot.table(tiny_run, most=2).splitlines()
    assert len(lines) == 4
    assert [line.split()[0] for line in lines[1:3]] == ["1,232", "2,256"]
    best = max(read_metrics(tiny_run), key=lambda row: row["score"])
    assert f"step {best['step']:,}, return {best['return_mean']:.2f}" in lines[3]
    assert int(load_state(tiny_run, step="best").env_steps) == best["step"]


def test_a_run_without_evaluations_is_told(tiny_run, tmp_path):
    shutil.copy(tiny_run / "config.json", tmp_path)
    with pytest.raises(ConfigError, match="no evaluation yet"):
        plot.plot_run(tmp_path)


def test_a_policy_of_rounded_products_is_used_with_exact_ones(tiny_run, tmp_path) -> None:
    copy = tmp_path / "rounded"
    shutil.copytree(tiny_run, copy)
    stored = json.loads((copy / "config.json").read_text())
    stored["algo"]["matmul_dtype"] = "bfloat16"
    (copy / "config.json").write_text(json.dumps(stored))
    assert load_state(copy).static.algo.matmul_dtype == "float32"
