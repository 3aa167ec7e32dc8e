"""Many seeds, and limits, of one experiment as a single population, with evaluations but without checkpoints.

`python benchmarks/many_seeds.py EXPERIMENT FOLDER [--seeds 16] [--limits 10,25,50] [--section.option value …]` writes
`FOLDER/<variant>/<N>envs_<device>/seed<S>/config.json` and `metrics.jsonl` for each trial, as a run does, and prints a
line for each evaluation; the variant is `limit<L>`, `paper` or `sac_lag`, as in results/. `python -m cvpo_jax.report
FOLDER/*/*/seed*` makes the table. It is meant for a GPU; use `cvpo_jax.sweep` for trials that must survive an
interruption.
"""

import argparse
import json
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import jax
import numpy as np

from cvpo_jax.config import Config
from cvpo_jax.config.load import load_experiment, parse_overrides
from cvpo_jax.experience.evaluation import summarize
from cvpo_jax.profiling.timing import compiled
from cvpo_jax.runs.recorder import Recorder
from cvpo_jax.runtime import devices
from cvpo_jax.training import population
from cvpo_jax.training.population import PopulationTrainer
from cvpo_jax.training.timer import Timer
from envs import host_scope


def trials(config: Config, folder: Path, seeds: int, limits: list[float]) -> list[Config]:
    """A configuration for each limit and seed, with its run directory in `folder`."""
    device = jax.devices()[0].device_kind.split()[-1].lower()
    envs = f"{config.scale.num_envs}envs_{device}"
    return [
        replace(
            config,
            algo=replace(config.algo, cost_limit=limit),
            train=replace(config.train, seed=seed),
            run_dir=str(folder / variant(config, limit) / envs / f"seed{seed}"),
        )
        for limit in limits
        for seed in range(seeds)
    ]


def variant(config: Config, limit: float) -> str:
    """The folder of a method, as results/README.md names it: that of CVPO is named by the limit."""
    if config.algo.name == "sac_lag":
        return "sac_lag"
    return f"limit{limit:g}" if config.algo.limit_mode == "measured" else "paper"


def run_dir(config: Config) -> Path:
    """The folder of one of the `trials`."""
    assert config.run_dir is not None
    return Path(config.run_dir)


def prepare(configs: tuple[Config, ...]) -> None:
    """Make each trial's folder, with its configuration and an empty file of metrics."""
    for config in configs:
        run_dir(config).mkdir(parents=True, exist_ok=True)
        (run_dir(config) / "config.json").write_text(replace(config, run_dir=None).complete().to_json())
        (run_dir(config) / "metrics.jsonl").write_text("")


def write(configs: tuple[Config, ...], rows: list[dict[str, float]]) -> None:
    """Append a line of metrics for each trial, and print one line about all of them."""
    for config, row in zip(configs, rows, strict=True):
        with (run_dir(config) / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
    line = [f"{rows[0]['updates']:8,.0f} updates {rows[0]['seconds']:6.0f} s"]
    for limit in sorted({config.algo.cost_limit for config in configs}):
        chosen = [row for config, row in zip(configs, rows, strict=True) if config.algo.cost_limit == limit]
        cost = np.array([row["cost_mean"] for row in chosen])
        line.append(
            f"limit {limit:g}: return {np.mean([row['return_mean'] for row in chosen]):.1f}, "
            f"cost {cost.mean():.1f} ({cost.min():.1f} to {cost.max():.1f})"
        )
    print("; ".join(line), flush=True)


def run(trainer: PopulationTrainer) -> None:
    """Train all trials to their end, with an evaluation after every `eval.every` epochs and at the end."""
    timer, every = Timer(), trainer.config.eval.every
    recorders = [Recorder(config) for config in trainer.trials]
    state, collector = trainer.fresh()
    keys = trainer.spread([jax.random.PRNGKey(0)])
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), (state, keys))
    # The two programs that take long to compile are compiled side by side. `evaluate` returns a tree, not a tuple.
    with ThreadPoolExecutor() as pool:
        evaluate: Future[Any] = pool.submit(compiled, cast(Any, trainer.evaluate), shapes)
        state, collector, _ = trainer.warmup(state, collector)
        trainer = replace(trainer, evaluate=evaluate.result().call)
    epochs = -(-(trainer.config.scale.steps - trainer.warmup_steps) // trainer.epoch_steps)
    for epoch in range(1, epochs + 1):
        with timer.epoch():
            state, collector, metrics = jax.block_until_ready(trainer.epoch(state, collector))
        if epoch % every and epoch < epochs:
            continue
        step = trainer.warmup_steps + epoch * trainer.epoch_steps
        counts = {"step": step, "updates": epoch * trainer.epoch_updates, "seconds": timer.seconds}
        rates = {"steps_per_second": timer.per_second(trainer.epoch_steps * len(trainer.trials))}
        evaluations = trainer.evaluations(state, [recorder.evaluation_key(step) for recorder in recorders])
        rows = zip(trainer.trials, evaluations, trainer.rows_of(metrics), strict=True)
        write(
            trainer.trials,
            [counts | summarize(result, config.algo.cost_limits) | rates | row for config, result, row in rows],
        )


def main() -> None:
    """Read the command line, set up the trials and train them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(".")[0], allow_abbrev=False)
    parser.add_argument("experiment")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=16)
    parser.add_argument("--limits", default="")
    options, rest = parser.parse_known_args()
    prog = "python benchmarks/many_seeds.py"
    config = parse_overrides(load_experiment(options.experiment), rest, prog, "").validate()
    limits = [float(limit) for limit in options.limits.split(",") if limit] or [config.algo.cost_limit]
    with host_scope():
        trainer = population.build(trials(config, options.folder, options.seeds, limits), devices.select(None))
        prepare(trainer.trials)
        run(trainer)


if __name__ == "__main__":
    main()
