"""A sweep by Ray Tune on this machine, where Ray is installed: the same trials in the same directories."""

import csv
import sys
from pathlib import Path

import pytest

from cvpo_jax import cli, ray_tune, sweep
from cvpo_jax.config.load import load_experiment
from cvpo_jax.runs.metrics import read_metrics
from cvpo_jax.sweeps import trials

EXPERIMENT = """
from cvpo_jax import AlgoConfig, Config, EnvConfig, EvalConfig, TrainConfig


def get_config():
    return Config(
        env=EnvConfig(num_envs=8),
        algo=AlgoConfig(hidden=(8,), batch_size=16, samples=4, n_step=2, recent_steps=64, cost_limit=6.0),
        train=TrainConfig(steps=100, epoch_steps=64, warmup_steps=64, updates_per_step=1 / 16, replay_size=256),
        eval=EvalConfig(episodes=4, every=1),
    )
"""
HELPERS = str(Path(__file__).parents[1] / "helpers")


def bring_toys() -> None:
    """Train on the toy, in each of Ray's processes and here."""
    from cvpo_jax.training import trainer

    sys.path.append(HELPERS)
    from toy import Bandit

    trainer.make_env = lambda config, num_envs, **_: Bandit(num_envs)


@pytest.fixture(scope="module")
def ray():
    ray = pytest.importorskip("ray", reason=ray_tune.MISSING)
    # Ray's processes do not find this module by its name.
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    ray.init(num_cpus=1, include_dashboard=False, runtime_env={"worker_process_setup_hook": bring_toys})
    yield ray
    ray.shutdown()


@pytest.fixture
def experiment(tmp_path):
    path = tmp_path / "toy.py"
    path.write_text(EXPERIMENT)
    return path


def table(folder):
    with (folder / "sweep.csv").open() as file:
        return list(csv.DictReader(file))


def test_without_ray_one_line_says_how_to_install_it(experiment, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert cli.main(ray_tune.command, [str(experiment), "--seeds", "2"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"error: {ray_tune.MISSING}\n"
    assert "pip install -e '.[ray]'" in err


@pytest.mark.slow
def test_ray_trains_each_trial_once_and_goes_on_with_what_the_sweep_left(ray, experiment, tmp_path, monkeypatch):
    folder = tmp_path / "sweep"
    command = [str(experiment), "--seeds", "2", "--sweep_dir", str(folder)]
    assert cli.main(ray_tune.command, command) == 0
    assert [(line["seed"], line["status"]) for line in table(folder)] == [("0", "done"), ("1", "done")]
    metrics = [folder / f"seed={seed}" / "metrics.jsonl" for seed in (0, 1)]
    assert [[row["step"] for row in read_metrics(path.parent)] for path in metrics] == [[128], [128]]
    before = [path.stat().st_mtime_ns for path in metrics]
    assert cli.main(ray_tune.command, command) == 0
    assert [path.stat().st_mtime_ns for path in metrics] == before, "what is done is not run again"
    assert cli.main(ray_tune.command, [*command, "--train.steps", "150"]) == 0
    assert [[row["step"] for row in read_metrics(path.parent)] for path in metrics] == [[128, 192]] * 2
    longer = [*command, "--train.steps", "150"]
    plan = sweep.make_plan(cli.read_invocation(sweep.SweepOptions, "sweep", longer))
    assert trials.group(plan.own) == [], "the sweep takes them for its own"


@pytest.mark.slow
def test_a_search_of_ray_s_own_takes_the_trainable(ray, experiment, tmp_path):
    from ray import tune

    function = ray_tune.trainable(load_experiment(experiment), tmp_path / "search")
    space = {"algo.kl_estep": tune.grid_search([0.05]), "seed": 4}
    (result,) = tune.Tuner(function, param_space=space, run_config=tune.RunConfig(storage_path=str(tmp_path))).fit()
    assert result.error is None
    (row,) = read_metrics(tmp_path / "search" / "algo.kl_estep=0.05_seed=4")
    assert result.metrics["step"] == 128
    assert result.metrics["score"] == pytest.approx(row["score"])
