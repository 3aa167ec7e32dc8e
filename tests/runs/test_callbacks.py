"""Callbacks are told what a run comes to, and one that raises is named after the run was saved."""

import csv
import dataclasses
import json
import shutil

import pytest

from cvpo_jax import Callback, Config, ConfigError, cli, run, train
from cvpo_jax.config.load import load_experiment
from cvpo_jax.runs.callbacks import Callbacks
from cvpo_jax.runs.loggers import CsvLogger, make_loggers
from cvpo_jax.runs.metrics import read_metrics
from cvpo_jax.runs.policy import load_state
from cvpo_jax.training.train import TrainingError

pytestmark = pytest.mark.xdist_group("tiny_run")


class Notebook(Callback):
    """Notes all it is told, and raises in the method `fault`."""

    def __init__(self, fault=""):
        self.fault, self.told = fault, []

    def note(self, method, *arguments):
        self.told.append((method, *arguments))
        if method == self.fault:
            raise ArithmeticError("told to raise")

    def on_start(self, run_dir, config, step):
        self.note("on_start", run_dir, config.env.id, step)

    def on_evaluation(self, row):
        self.note("on_evaluation", row["step"])

    def on_checkpoint(self, step, path):
        assert (path / "_CHECKPOINT_METADATA").exists(), "whole"
        self.note("on_checkpoint", step)

    def on_end(self, problem):
        self.note("on_end", problem)


@pytest.fixture
def config(tiny_experiment, tmp_path) -> Config:
    return dataclasses.replace(load_experiment(tiny_experiment), run_dir=str(tmp_path / "run"))


def test_callbacks_are_told_of_everything_in_its_order(config, tiny_run):
    notebook = Notebook()
    run_dir = train(config, callbacks=[notebook])
    steps = [row["step"] for row in read_metrics(run_dir)]
    first, *middle, last = notebook.told
    assert first == ("on_start", run_dir, "SafetyPointCircle1-v0", 0)
    assert last == ("on_end", "")
    assert [step for method, step in middle if method == "on_evaluation"] == steps
    assert [step for method, step in middle if method == "on_checkpoint"] == steps
    assert middle[-1][0] == "on_checkpoint"
    # What is told changes nothing of the training.
    assert [row["return_mean"] for row in read_metrics(run_dir)] == [
        row["return_mean"] for row in read_metrics(tiny_run)
    ]


def test_one_that_raises_is_named_and_the_run_is_saved(config):
    notebook, other = Notebook("on_evaluation"), Notebook()
    said = (
        r"the callback Notebook raised in on_evaluation \(.*test_callbacks.py:\d+\): ArithmeticError: told to raise; "
    )
    with pytest.raises(TrainingError, match=said + "the run is saved: --resume") as raised:
        train(config, callbacks=[notebook, other])
    (row,) = read_metrics(tmp := notebook.told[0][1])
    assert int(load_state(tmp).env_steps) == row["step"]
    assert [method for method, *_ in other.told] == ["on_start", "on_evaluation", "on_checkpoint", "on_end"]
    assert other.told[-1][1] == str(raised.value)
    again = Notebook()
    train(config, callbacks=[again], resume=tmp)
    assert again.told[0][-1] == row["step"]
    assert len(read_metrics(tmp)) == 4


def test_one_that_cannot_start_ends_those_that_did(tmp_path):
    first, second = Notebook(), Notebook("on_start")
    with pytest.raises(ConfigError, match=r"Notebook raised in on_start .* or train without it"):
        Callbacks([first, second]).start(tmp_path, Config(), 0)
    assert [method for method, *_ in first.told] == ["on_start", "on_end"]
    assert len(second.told) == 1


@pytest.mark.parametrize(("names", "said"), [("csv,paper", "there is no paper"), ("wandb", "wandb is not installed")])
def test_loggers_that_cannot_be_used_are_told_before_anything_is_done(names, said, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=f"--log is {names}: {said}"):
        make_loggers(names)
    arguments = ["--env.id", "SafetyPointGoal1-v0", "--run_dir", str(tmp_path / "run"), "--log", names]
    assert cli.main(run.command, arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def replay(logger, run_dir, *, upto=None, problem=""):
    """Tell a logger of a run that there was."""
    config = Config.from_json((run_dir / "config.json").read_text())
    told = Callbacks([logger])
    told.start(run_dir, config, 0)
    for row in read_metrics(run_dir)[:upto]:
        assert told.tell("on_evaluation", row) == ""
    assert told.tell("on_end", problem) == ""


@pytest.fixture
def copy(tiny_run, tmp_path):
    shutil.copytree(tiny_run, tmp_path / "copy")
    return tmp_path / "copy"


def test_the_table_has_all_evaluations(copy):
    replay(CsvLogger(), copy)
    rows = read_metrics(copy)
    with (copy / "metrics.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [float(line["return_mean"]) for line in table] == [row["return_mean"] for row in rows]
    assert list(table[0]) == list(rows[0])


def test_wandb_offline(copy, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    (logger,) = make_loggers("wandb")
    replay(logger, copy)
    written = list(copy.glob("wandb/offline-run-*/run-*.wandb"))
    assert len(written) == 1
    assert b"return_mean" in written[0].read_bytes()
    name = (copy / "wandb.id").read_text()
    replay(make_loggers("wandb")[0], copy, problem="stopped")
    assert (copy / "wandb.id").read_text() == name, "a resumed run continues the same one"


def test_mlflow_in_files(copy, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri(f"file://{tmp_path / 'store'}")
    replay(make_loggers("mlflow")[0], copy, upto=2, problem="stopped")
    client, name = mlflow.MlflowClient(), (copy / "mlflow.id").read_text()
    assert client.get_run(name).info.status == "FAILED"
    replay(make_loggers("mlflow")[0], copy)
    stored = client.get_run(name)
    assert (stored.info.status, json.loads(stored.data.params["algo.cost_limit"])) == ("FINISHED", 5.0)
    steps = {point.step for point in client.get_metric_history(name, "return_mean")}
    assert steps == {row["step"] for row in read_metrics(copy)}
