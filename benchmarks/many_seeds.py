"""Many seeds, and limits, of one experiment as a single population, with evaluations but without checkpoints.

`python benchmarks/seeds.py EXPERIMENT FOLDER [--seeds 16] [--limits 10,25,50] [--section.option value …]` writes
`FOLDER/limitL/seedS/config.json` and `metrics.jsonl` for each trial, as a run does, and a line an evaluation to the
terminal; `python -m cvpo_jax.report FOLDER/*/*` makes the table. For a GPU; what must survive a stop is for
`cvpo_jax.sweep`.
"""

import argparse
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np

from cvpo_jax.config.config import Config
from cvpo_jax.config.load import load_experiment, parse_overrides
from cvpo_jax.experience.evaluation import summarize
from cvpo_jax.profiling.timing import compiled
from cvpo_jax.runs.recorder import Recorder
from cvpo_jax.runtime import devices
from cvpo_jax.training import population
from cvpo_jax.training.population import PopulationTrainer
from cvpo_jax.training.timer import Timer
from envs.host.vector import host_scope


def trials(config: Config, folder: Path, seeds: int, limits: list[float]) -> list[Config]:
    """A configuration for each seed and limit."""
    return [
        replace(
            config,
            algo=replace(config.algo, cost_limit=limit),
            train=replace(config.train, seed=seed),
            run_dir=str(folder / f"limit{limit:g}" / f"seed{seed}"),
        )
        for limit in limits
        for seed in range(seeds)
    ]


def write(program: PopulationTrainer, rows: list[dict[str, float]]) -> None:
    """A line of metrics for each trial, and one of all on the terminal."""
    for config, row in zip(program.trials, rows, strict=True):
        with (Path(config.run_dir) / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
    line = [f"{rows[0]['updates']:8,.0f} updates {rows[0]['seconds']:6.0f} s"]
    for limit in sorted({config.algo.cost_limit for config in program.trials}):
        mine = [row for config, row in zip(program.trials, rows, strict=True) if config.algo.cost_limit == limit]
        cost = np.array([row["cost_mean"] for row in mine])
        line.append(
            f"limit {limit:g}: return {np.mean([row['return_mean'] for row in mine]):.1f}, "
            f"cost {cost.mean():.1f} ({cost.min():.1f} to {cost.max():.1f})"
        )
    print("; ".join(line), flush=True)


def run(program: PopulationTrainer) -> None:
    """Train all trials to their end."""
    clock, every = Timer(), program.config.eval.every
    recorders = [Recorder(config) for config in program.trials]
    state, collection = program.fresh()
    keys = program.spread([jax.random.PRNGKey(0)])
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), (state, keys))
    with ThreadPoolExecutor() as pool:  # both of the programs that take long to compile at once
        evaluate = pool.submit(compiled, program.evaluate, shapes)
        state, collection, _ = program.warmup(state, collection)
        program = replace(program, evaluate=evaluate.result().call)
    epochs = -(-(program.config.train.steps - program.warmup_steps) // program.epoch_steps)
    for epoch in range(1, epochs + 1):
        with clock.epoch():
            state, collection, metrics = jax.block_until_ready(program.epoch(state, collection))
        if epoch % every and epoch < epochs:
            continue
        step = program.warmup_steps + epoch * program.epoch_steps
        counts = {"step": step, "updates": epoch * program.epoch_updates, "seconds": clock.seconds}
        rates = {"steps_per_second": clock.per_second(program.epoch_steps * len(program.trials))}
        evaluations = program.evaluations(state, [recorder.evaluation_key(step) for recorder in recorders])
        write(
            program,
            [
                counts | summarize(episodes, config.algo.cost_limits) | rates | row
                for config, episodes, row in zip(program.trials, evaluations, program.rows_of(metrics), strict=True)
            ],
        )


def main() -> None:
    """Read the command, describe the trials, train them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(".")[0], allow_abbrev=False)
    parser.add_argument("experiment")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=16)
    parser.add_argument("--limits", default="")
    options, rest = parser.parse_known_args()
    config = parse_overrides(load_experiment(options.experiment), rest, "python benchmarks/seeds.py", "").validate()
    limits = [float(limit) for limit in options.limits.split(",") if limit] or [config.algo.cost_limit]
    with host_scope():
        program = population.build(trials(config, options.folder, options.seeds, limits), devices.select(0))
        for each in program.trials:
            Path(each.run_dir).mkdir(parents=True, exist_ok=True)
            (Path(each.run_dir) / "config.json").write_text(each.to_json())
            (Path(each.run_dir) / "metrics.jsonl").write_text("")
        run(program)


if __name__ == "__main__":
    main()
