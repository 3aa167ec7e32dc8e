"""Write results/manifest.csv, a row for each stored training: `python benchmarks/results_manifest.py [--check]`.

All columns but three follow from the stored files. The manifest itself is the source of `commit`, `machine` and `note`,
which a person may know better than any file; they are kept, so that the rest can be written again without git history.
A new row gets the commit before the one that added its metrics, and a note if the training ended early; its machine is
to be filled in by hand.
"""

import argparse
import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from cvpo_jax.config import Config
from cvpo_jax.config.load import load_experiment

ROOT = Path(__file__).parents[1]
MANIFEST = ROOT / "results" / "manifest.csv"
COLUMNS = ("path", "task", "num_envs", "limit", "mode", "seed", "commit", "command", "machine", "note")
KEPT = ("commit", "machine", "note")
TEMPLATE = re.compile(r"results/training/(?P<task>\w+)/(?P<variant>\w+)/(?P<envs>\d+envs(_\w+)?)/seed(?P<seed>\d+)")
ANY_TASK = "experiments/point_goal.py"
"""The experiment that others of the table of all tasks are trained by, with their own `env.id`."""
OWN = "own_"  # before the name of an experiment of experiments/own
# What depends on where a run is made, not on what is trained.
LOCAL = ("train.devices", "env.folder", "run_dir")
# What an environment of one's own decides by itself.
DERIVED = ("env.backend",)
RATE = "train.updates_per_step"
SIZES = ("env.num_envs", "train.steps")
"""Options that others follow from."""


@dataclass(frozen=True)
class Training:
    """A stored training: its folder, relative to the repository, and what the folder's name and files say."""

    path: str

    @cached_property
    def parts(self) -> dict[str, str]:
        """The named parts of the path; raises ValueError if it does not follow the template."""
        found = TEMPLATE.fullmatch(self.path)
        if not found:
            raise ValueError(f"{self.path} is not of the form results/training/<task>/<variant>/<envs>/seed<S>")
        return found.groupdict()

    @cached_property
    def text(self) -> str:
        """The stored configuration as it is written."""
        return (ROOT / self.path / "config.json").read_text()

    @cached_property
    def config(self) -> Config:
        """The stored configuration; raises ConfigError if it does not fit this version."""
        return Config.from_json(self.text)

    @cached_property
    def updates(self) -> int:
        """Updates made up to the last evaluation."""
        lines = (ROOT / self.path / "metrics.jsonl").read_text().splitlines()
        return int(json.loads(lines[-1])["updates"])

    @property
    def population(self) -> tuple[str, str, str]:
        """What trainings that were made together have in common."""
        return self.parts["task"], self.parts["envs"], self.config.algo.method

    @property
    def planned_updates(self) -> int:
        """Updates that the configuration asks for."""
        schedule, scale = self.config.schedule(), self.config.scale
        epoch_steps = schedule.iterations * schedule.unroll * scale.num_envs
        epochs = -(-(scale.steps - schedule.warmup * scale.num_envs) // epoch_steps)
        return epochs * schedule.iterations * schedule.updates

    @property
    def ended_early(self) -> str:
        """The note that a training needs which made fewer updates than planned; empty for others."""
        if self.updates >= self.planned_updates:
            return ""
        return f"stopped after {self.updates:,} of {self.planned_updates:,} updates"


def stored() -> list[Training]:
    """All stored trainings, seeds in numerical order."""
    folders = {path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("results/training/**/*.json*")}
    by_number = {folder: [int(x) if x.isdigit() else x for x in re.split(r"(\d+)", folder)] for folder in folders}
    return [Training(folder) for folder in sorted(folders, key=by_number.__getitem__)]


def command(training: Training, trainings: Sequence[Training]) -> str:
    """What makes this training again; one command makes all those of a population."""
    task, variant, envs = (training.parts[name] for name in ("task", "variant", "envs"))
    experiments = [f"experiments/{task}.py", f"experiments/{variant}/{task}.py"]
    if task.startswith(OWN):
        experiments = [f"experiments/own/{task.removeprefix(OWN)}.py"]
    experiments = [path for path in experiments if (ROOT / path).is_file()] or [ANY_TASK]
    by_experiment = {path: overrides(training, path) for path in experiments}
    experiment = min(by_experiment, key=lambda path: len(by_experiment[path]))
    options = by_experiment[experiment]
    if "_" not in envs:
        words = ["python -m cvpo_jax.run", experiment]
    else:
        together = [each for each in trainings if each.population == training.population]
        limits = sorted({each.config.algo.cost_limit for each in together})
        words = ["python benchmarks/many_seeds.py", experiment, f"results/training/{task}"]
        words += [f"--seeds {len(together) // len(limits)}", f"--limits {','.join(map(_word, limits))}"]
        options = {name: value for name, value in options.items() if name not in ("train.seed", "algo.cost_limit")}
    return " ".join([*words, *(f"--{name} {_word(value)}" for name, value in options.items())])


def overrides(training: Training, experiment: str) -> dict[str, Any]:
    """The options of a stored training that differ from its experiment's, and the seed."""
    scale = training.config.scale
    rate = {RATE: _defaults(experiment, scale.num_envs, scale.steps)[RATE]}
    # What follows from a rate that the command spells out.
    spelled = scale.updates_per_step if scale.updates_per_step != rate[RATE] else None
    default = _defaults(experiment, scale.num_envs, scale.steps, spelled) | rate
    default |= _defaults(experiment, None, None, only=SIZES)
    omitted = LOCAL + DERIVED if training.config.env.is_own else LOCAL
    return {
        name: value
        for name, value in _flat(json.loads(training.text)).items()
        if name == "train.seed" or (name not in omitted and value != default[name])
    }


@cache
def _defaults(
    experiment: str, num_envs: int | None, steps: int | None, rate: float | None = None, only: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The options of an experiment, all or `only` some, as they follow from these numbers where they are given."""
    config = load_experiment(ROOT / experiment)
    given = {name: value for name, value in (("steps", steps), ("updates_per_step", rate)) if value}
    env = replace(config.env, num_envs=num_envs) if num_envs else config.env
    sized = replace(config, env=env, train=replace(config.train, **given))
    options = _flat(json.loads(sized.complete().to_json()))
    return {name: options[name] for name in only or options}


def _flat(sections: dict[str, Any]) -> dict[str, Any]:
    """Options by their names on the command line, as in `env.id`."""
    flat: dict[str, Any] = {}
    for section, options in sections.items():
        if isinstance(options, dict):
            flat |= {f"{section}.{name}": value for name, value in options.items()}
        else:
            flat[section] = options
    return flat


def _word(value: Any) -> str:
    """An option's value as it is typed."""
    if isinstance(value, dict):
        return ",".join(f"{name}={_word(limit)}" for name, limit in value.items())
    if isinstance(value, list):
        return " ".join(map(_word, value))
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def git(*arguments: str) -> str:
    """The output of git; empty if it fails."""
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True).stdout.strip()


def made_at(training: Training) -> str:
    """The commit before the one that added the training's metrics, whatever their folder was called then."""
    blob = git("hash-object", f"{training.path}/metrics.jsonl")
    before = git("log", "--reverse", f"--find-object={blob}", "--format=%p").split("\n")[0]
    return before.split(" ")[0] or git("rev-parse", "--short", "HEAD")


def rows(trainings: Sequence[Training], known: dict[str, dict[str, str]]) -> list[dict[str, str]]:
    """The manifest's rows; `known` are those of the present manifest by their path."""
    result = []
    for training in trainings:
        config = training.config
        derived = {
            "path": training.path,
            "task": config.env.id,
            "num_envs": str(config.env.num_envs),
            "limit": ",".join(map(_word, config.algo.judged_limits)),
            "mode": config.algo.method,
            "seed": str(config.train.seed),
            "command": command(training, trainings),
        }
        kept = known.get(training.path) or {"commit": made_at(training), "machine": "", "note": training.ended_early}
        result.append(derived | {name: kept[name] for name in KEPT})
    return result


def read() -> dict[str, dict[str, str]]:
    """The rows of the present manifest by their path; none if there is no manifest."""
    if not MANIFEST.is_file():
        return {}
    with MANIFEST.open(newline="") as file:
        return {row["path"]: row for row in csv.DictReader(file)}


def written(table: Sequence[dict[str, str]]) -> str:
    """The manifest with these rows."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue()


def problems(trainings: Sequence[Training], table: Sequence[dict[str, str]]) -> list[str]:
    """What a person has to mend: a row without commit or machine, or without its note on an early end."""
    found = []
    for training, row in zip(trainings, table, strict=True):
        found += [f"{training.path}: fill in its {name}" for name in ("commit", "machine") if not row[name]]
        if training.ended_early and training.ended_early not in row["note"]:
            found.append(f'{training.path}: its note must say "{training.ended_early}"')
    return found


def main() -> int:
    """Write the manifest, or check it; returns 1 if something is to be mended."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0])
    parser.add_argument("--check", action="store_true", help="only tell whether the manifest is up to date")
    options = parser.parse_args()
    trainings = stored()
    table = rows(trainings, read())
    found = problems(trainings, table)
    if not options.check:
        MANIFEST.write_text(written(table))
    elif not MANIFEST.is_file() or MANIFEST.read_text() != written(table):
        found.insert(0, "results/manifest.csv is stale: run python benchmarks/results_manifest.py")
    print("\n".join(found) or f"{len(table)} trainings")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
