"""Train what is missing of the table of all tasks: `python benchmarks/marks.py [FOLDER] [--table]`.

The tasks, with the best published figures and the marks to beat, are those of benchmarks/marks.csv; the methods are
CVPO, SAC-Lagrangian and the published form of CVPO, all with the default configuration under a limit of 25. A training
that `results/training` holds is left alone. On a CPU seed 0 of all comes first, then seed 1, so that the table is
whole, if not precise, as early as possible; each training is a run of its own in FOLDER, is resumed there after an
interruption, and is copied to `results/training` when it has ended. On a GPU (`--populations`) all seeds of a task and
method are one population without checkpoints. `--table` trains nothing and writes docs/lab/marks.md.
"""

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from logged import logged
from marks_table import page
from marks_tasks import METHODS, RESULTS, ROOT, TASKS, Entry, ended, entries, folder_of

from cvpo_jax.runs.comparison.records import read_record
from cvpo_jax.runs.directory import load_config

EXPERIMENT = str(ROOT / "experiments" / "point_goal.py")
PAGE = ROOT / "docs" / "lab" / "marks.md"


@dataclass(frozen=True)
class Job:
    """Trainings of one task by one method: a seed on a CPU, all of them on a GPU."""

    entry: Entry
    seeds: tuple[int, ...]

    @property
    def name(self) -> str:
        """What it is called while it runs, and its folder."""
        seeds = f"seed{self.seeds[0]}" if len(self.seeds) == 1 else "seeds"
        return f"{folder_of(self.entry.task)}/{self.entry.method}/{seeds}"

    @property
    def options(self) -> list[str]:
        """Options of the task and the method."""
        chosen = {"env.id": self.entry.task} | METHODS[self.entry.method].options
        return [word for name, value in chosen.items() for word in (f"--{name}", value)]


def plan(wanted: Sequence[Entry], seeds: int, populations: bool) -> Iterator[Job]:
    """What is missing, in the order in which it is trained."""
    missing = {entry: [seed for seed in range(seeds) if seed not in entry.stored()] for entry in wanted}
    if populations:
        yield from (Job(entry, tuple(range(seeds))) for entry, found in missing.items() if found)
    else:
        yield from (Job(entry, (seed,)) for seed in range(seeds) for entry, found in missing.items() if seed in found)


def train(job: Job, folder: Path, populations: bool) -> None:
    """Train a job to its end in a process of its own, its output in a log, and store what it came to."""
    run_dir = folder / job.name
    log = run_dir.with_suffix(".log")
    command = population_command(job) if populations else run_command(job, run_dir)
    stored = logged(command, log) and (populations or store(job, run_dir))
    print(f"{job.name}: {'stored' if stored else f'not finished, see {log}'}", flush=True)


def run_command(job: Job, run_dir: Path) -> list[str]:
    """What trains one seed, or goes on where it was stopped."""
    run = [sys.executable, "-m", "cvpo_jax.run"]
    if any((run_dir / "checkpoints").glob("[0-9]*")):
        return [*run, "--resume", str(run_dir)]
    return [*run, EXPERIMENT, "--run_dir", str(run_dir), *job.options, "--train.seed", str(job.seeds[0])]


def population_command(job: Job) -> list[str]:
    """What trains all seeds together, and writes them where they are stored."""
    script = str(ROOT / "benchmarks" / "many_seeds.py")
    where = str(RESULTS / folder_of(job.entry.task))
    return [sys.executable, script, EXPERIMENT, where, "--seeds", str(len(job.seeds)), *job.options]


def store(job: Job, run_dir: Path) -> bool:
    """Copy configuration and evaluations of a run that has ended; False where Ctrl-C stopped it."""
    if not ended(read_record(run_dir)):
        return False
    config = load_config(run_dir)
    bare = replace(config, run_dir=None, env=replace(config.env, folder=None)).complete()
    target = job.entry.folder / f"{bare.env.num_envs}envs" / f"seed{config.train.seed}"
    target.mkdir(parents=True, exist_ok=True)
    (target / "config.json").write_text(bare.to_json())
    shutil.copy(run_dir / "metrics.jsonl", target / "metrics.jsonl")
    return True


def main() -> None:
    """Read the command line, train what is missing, write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0], allow_abbrev=False)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("runs/marks"), help="runs that are not finished")
    parser.add_argument("--tasks", nargs="+", choices=[task.id for task in TASKS], metavar="TASK")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=["cvpo", "sac_lag"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1, help="trainings side by side")
    parser.add_argument("--populations", action="store_true", help="seeds of a task together, for a GPU")
    parser.add_argument("--plan", action="store_true", help="only print what is missing")
    parser.add_argument("--table", action="store_true", help="only write the table")
    options = parser.parse_args()
    wanted = [entry for entry in entries(options.methods) if entry.task in (options.tasks or [entry.task])]
    jobs = [] if options.table else list(plan(wanted, options.seeds, options.populations))
    if options.plan:
        print("\n".join(job.name for job in jobs))
        return
    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(lambda job: train(job, options.folder.resolve(), options.populations), jobs))
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
