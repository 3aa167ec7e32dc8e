"""Callbacks that copy a run's evaluations elsewhere: a CSV file, Weights & Biases, MLflow; `--log wandb,mlflow,csv`."""

import csv
import dataclasses
import importlib.util
import io
import json
import math
import os
from pathlib import Path
from typing import Any

from cvpo_jax.config import Config, ConfigError
from cvpo_jax.runs.callbacks import Callback
from cvpo_jax.runs.metrics import Row, read_metrics
from cvpo_jax.runtime.files import write_whole

PROJECT = "cvpo_jax"


class CsvLogger(Callback):
    """Keeps `metrics.csv`, a table of all evaluations, in the run directory."""

    def on_start(self, run_dir: Path, config: Config, step: int) -> None:
        """Remember where the run is."""
        self._run_dir = run_dir

    def on_evaluation(self, row: Row) -> None:
        """Write the table anew, since a resumed run may have forgotten rows."""
        table = io.StringIO()
        writer = csv.DictWriter(table, list(row), restval="", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(read_metrics(self._run_dir))
        write_whole(self._run_dir / "metrics.csv", table.getvalue())


class WandbLogger(Callback):
    """Logs to Weights & Biases; WANDB_PROJECT, WANDB_MODE=offline and its other variables work."""

    def on_start(self, run_dir: Path, config: Config, step: int) -> None:
        """Begin a run there, or continue the one that this directory had."""
        import wandb

        mark = run_dir / "wandb.id"
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=run_dir.name,
            id=mark.read_text() if mark.exists() else None,
            resume="allow",
            dir=run_dir,
            config=dataclasses.asdict(config),
        )
        write_whole(mark, self._run.id)

    def on_evaluation(self, row: Row) -> None:
        """Log what is finite."""
        self._run.log(_finite(row), step=int(row["step"]))

    def on_end(self, problem: str) -> None:
        """Finish the run there."""
        self._run.finish(exit_code=1 if problem else 0)


class MlflowLogger(Callback):
    """Logs to MLflow; MLFLOW_TRACKING_URI and its other variables work."""

    def on_start(self, run_dir: Path, config: Config, step: int) -> None:
        """Begin a run there, or continue the one that this directory had."""
        import mlflow

        mark = run_dir / "mlflow.id"
        self._client = mlflow.MlflowClient()
        if mark.exists():
            self._id = mark.read_text()
            self._client.update_run(self._id, status="RUNNING")
            return
        found = self._client.get_experiment_by_name(PROJECT)
        experiment = found.experiment_id if found else self._client.create_experiment(PROJECT)
        self._id = self._client.create_run(experiment, run_name=run_dir.name).info.run_id
        for name, value in _flat(dataclasses.asdict(config)).items():
            self._client.log_param(self._id, name, value)
        write_whole(mark, self._id)

    def on_evaluation(self, row: Row) -> None:
        """Log what is finite."""
        for name, value in _finite(row).items():
            self._client.log_metric(self._id, name, value, step=int(row["step"]))

    def on_end(self, problem: str) -> None:
        """End the run there."""
        self._client.set_terminated(self._id, "FAILED" if problem else "FINISHED")


LOGGERS: dict[str, type[Callback]] = {"csv": CsvLogger, "mlflow": MlflowLogger, "wandb": WandbLogger}


def make_loggers(names: str) -> list[Callback]:
    """The loggers that `names` lists, between commas; raises ConfigError for one that cannot be used here."""
    made = []
    for name in filter(None, (part.strip() for part in names.split(","))):
        if name not in LOGGERS:
            raise ConfigError(f"--log is {names}: there is no {name}, only {', '.join(LOGGERS)}")
        if name != "csv" and importlib.util.find_spec(name) is None:
            raise ConfigError(
                f"--log is {names}: {name} is not installed; the extra `log` brings it: pip install {name}"
            )
        made.append(LOGGERS[name]())
    return made


def _finite(row: Row) -> Row:
    return {name: value for name, value in row.items() if math.isfinite(value)}


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """The values of nested dictionaries by dotted names, as JSON."""
    flat: dict[str, str] = {}
    for name, value in values.items():
        nested = isinstance(value, dict) and value
        flat |= _flat(value, f"{prefix}{name}.") if nested else {f"{prefix}{name}": json.dumps(value)}
    return flat
