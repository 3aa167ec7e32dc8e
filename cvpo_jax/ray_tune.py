"""Train many trials with Ray Tune: `python -m cvpo_jax.ray_tune EXPERIMENT --seeds N [--grid section.option=v1,v2 …]`.

The trials, directories and table are those of cvpo_jax.sweep, and either may resume what the other began. Ray gives
each trial a process of its own, on any machine of its cluster. Search algorithms and schedulers take `trainable`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvpo_jax import cli
from cvpo_jax.config import Config, ConfigError
from cvpo_jax.sweep import TrialOptions, read_trials

if TYPE_CHECKING:
    from cvpo_jax.sweeps.trials import Trial

MISSING = "Ray is not installed: pip install -e '.[ray]' in the project's folder adds it"


@dataclass(frozen=True)
class RayOptions(TrialOptions):
    """Train an experiment under several seeds and all combinations of a grid of options, each trial a task of Ray Tune.

    A task has a GPU where Ray's cluster has any, else a CPU core. All its machines must share the sweep's directory.
    """


def import_ray() -> tuple[Any, Any]:
    """`ray` and `ray.tune`; raises ConfigError with the remedy where they are missing."""
    try:
        import ray
        from ray import tune
    except ImportError as error:
        raise ConfigError(MISSING) from error
    return ray, tune


def trainable(config: Config, sweep_dir: Path | str) -> Callable[[dict[str, Any]], None]:
    """What Ray Tune runs: a function of a trial's settings, such as `{"algo.kl_estep": 0.05, "seed": 1}`.

    It trains that trial of `config` in its directory under `sweep_dir`, or resumes it, and reports each evaluation to
    Ray: `return_mean`, `score` (the return where cost is within its limit, else less) and what else is logged.
    """
    from cvpo_jax.sweeps import trials

    # Ray's processes have working directories of their own.
    folder = Path(sweep_dir).resolve()

    def run_trial(settings: dict[str, Any]) -> None:
        options = {name: str(value) for name, value in settings.items() if name != "seed"}
        seed = int(settings.get("seed", config.train.seed))
        train_one(trials.under_seed(trials.override(config, options), options, seed, folder))

    return run_trial


def train_one(trial: Trial) -> None:
    """Train a trial in this process on one device, unless it is done; raises TrainingError where it failed."""
    _, tune = import_ray()
    from cvpo_jax.runtime import compilation_cache, devices
    from cvpo_jax.runtime.interrupt import StopRequest
    from cvpo_jax.sweeps import runner, trials
    from cvpo_jax.training.train import TrainingError

    def report() -> None:
        if trial.rows:
            tune.report(trial.rows[-1])

    trial.check()
    compilation_cache.enable_cache()
    unfinished = trials.group([trial])
    for members in unfinished:
        # No signals come here: what stops a trial early kills its process, after the checkpoint of its last report.
        runner.train(members, devices.select(1), StopRequest(), report)
    if trial.problem:
        raise TrainingError(trial.problem)
    if not unfinished:
        report()


def command(arguments: Sequence[str]) -> None:
    """Hand the unfinished trials to Ray, and write the table as results come in."""
    invocation = cli.read_invocation(RayOptions, "ray_tune", arguments)
    sweep_dir, every = read_trials(invocation)
    if invocation.options.dry_run:
        print("\n".join(f"{trial.status:<8} {trial.run_dir}" for trial in every))
        return
    ray, tune = import_ray()
    from cvpo_jax.sweeps import runner

    sweep_dir.mkdir(parents=True, exist_ok=True)
    sweep_dir = sweep_dir.resolve()
    every = [_in_directory(trial, sweep_dir) for trial in every]
    waiting = {trial.run_dir.name: trial for trial in every if trial.status in ("begun", "waiting")}
    if waiting:
        ray.init(ignore_reinit_error=True)
        device = "gpu" if ray.cluster_resources().get("GPU") else "cpu"
        run_config = tune.RunConfig(
            storage_path=str(sweep_dir), name="ray", callbacks=[_table_writer(tune, sweep_dir, every)]
        )
        function = tune.with_resources(lambda chosen: train_one(waiting[chosen["trial"]]), {device: 1})
        tune.Tuner(function, param_space={"trial": tune.grid_search(list(waiting))}, run_config=run_config).fit()
    runner.write_table(sweep_dir, every)
    print(f"table: {sweep_dir / runner.TABLE}")


def _in_directory(trial: Trial, sweep_dir: Path) -> Trial:
    return replace(trial, config=replace(trial.config, run_dir=str(sweep_dir / trial.run_dir.name)))


def _table_writer(tune: Any, sweep_dir: Path, every: Sequence[Trial]) -> Any:
    """A callback of Ray's that keeps `sweep.csv` up to date."""
    from cvpo_jax.sweeps import runner

    class TableWriter(tune.Callback):
        def on_trial_result(self, *_: Any, **__: Any) -> None:
            runner.write_table(sweep_dir, every)

    return TableWriter()


if __name__ == "__main__":
    cli.leave(cli.main(command))
