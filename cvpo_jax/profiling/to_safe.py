"""How long a user waits for a policy that is good and keeps its limit: whole trainings, from starting Python on.

A training has come there with the first of three evaluations in a row that reach a return at a cost within the limit.
Compiling and the evaluations themselves count; what the other two take to confirm the first does not.
"""

import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cvpo_jax.config.errors import ConfigError
from cvpo_jax.runs.comparison.figures import first_confirmed
from cvpo_jax.runs.metrics import Row, read_metrics

_PAUSE = 0.1  # s, between two looks at a training's metrics
ROW = "{:>6} {:>12} {:>10} {:>10} {:>10}"


@dataclass(frozen=True)
class Wait:
    """How long one seed took; infinite and NaN where its training ended before."""

    seed: int
    seconds: float = math.inf
    steps: float = math.inf
    """Environment steps by then."""
    return_mean: float = math.nan
    cost_over_limit: float = math.nan
    """Mean cost relative to the limit; the largest of several, NaN where the limit is 0."""

    def summary(self) -> dict[str, float | None]:
        """All of it, for JSON, which has neither infinity nor NaN."""
        return {name: value if math.isfinite(value) else None for name, value in asdict(self).items()}


def measure_waits(command: Sequence[str], least_return: float, seeds: int, cold: bool) -> Iterator[Wait]:
    """Train seeds 0 to `seeds` - 1 by `command` (experiment and options), one after the other, as long as it takes.

    With `cold` each begins with an empty cache of compiled programs. Raises ConfigError where a training fails.
    """
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            cache = {"JAX_COMPILATION_CACHE_DIR": f"{folder}/cache"} if cold else {}
            yield _wait(command, least_return, seed, Path(folder) / "run", os.environ | cache)


def _costs_and_limits(row: Row) -> list[tuple[float, float]]:
    """Mean cost and limit of each constraint in an evaluation."""
    of_each = [name.removeprefix("cost_limit") for name in row if name.startswith("cost_limit")]
    return [(row[f"cost{index}_mean"], row[f"cost_limit{index}"]) for index in of_each]


def _is_safe(row: Row, least_return: float) -> bool:
    return row["return_mean"] >= least_return and all(cost <= limit for cost, limit in _costs_and_limits(row))


def _wait(command: Sequence[str], least_return: float, seed: int, run_dir: Path, environment: dict[str, str]) -> Wait:
    """Train one seed in a process of its own until it is there, then end the process."""
    words = [sys.executable, "-m", "cvpo_jax.run", *command, "--train.seed", str(seed), "--run_dir", str(run_dir)]
    came: list[float] = []
    log, begin = run_dir.with_suffix(".log"), time.perf_counter()
    with log.open("w") as told, subprocess.Popen(words, env=environment, stdout=told, stderr=told) as process:
        try:
            ended = False
            while not ended:
                ended = process.poll() is not None
                rows = read_metrics(run_dir)
                came += [time.perf_counter() - begin] * (len(rows) - len(came))
                index = first_confirmed([_is_safe(row, least_return) for row in rows])
                if index is not None:
                    return _waited(seed, came[index], rows[index])
                time.sleep(_PAUSE)
        finally:
            process.kill()
    if process.returncode:
        raise ConfigError(f"the training of seed {seed} failed: {_last_line(log)}")
    return Wait(seed)


def _last_line(log: Path) -> str:
    return "".join(log.read_text().strip().splitlines()[-1:])


def _waited(seed: int, seconds: float, row: Row) -> Wait:
    over = max(cost / limit if limit else math.nan for cost, limit in _costs_and_limits(row))
    return Wait(seed, seconds, row["step"], row["return_mean"], over)


def table(waits: Sequence[Wait], least_return: float) -> str:
    """All seeds and their median as text."""
    rows = [ROW.format("seed", "seconds", "steps", "return", "cost/limit")]
    for wait in waits:
        if math.isinf(wait.seconds):
            rows.append(ROW.format(wait.seed, "not reached", "", "", ""))
        else:
            numbers = f"{wait.steps:,.0f}", f"{wait.return_mean:.1f}", f"{wait.cost_over_limit:.2f}"
            rows.append(ROW.format(wait.seed, f"{wait.seconds:.0f}", *numbers))
    middle = statistics.median(wait.seconds for wait in waits)
    found = f"{middle:.0f} s" if math.isfinite(middle) else "not reached by most"
    return "\n".join([*rows, f"median until a return of {least_return:g} within the limit: {found}"])


def report(waits: Sequence[Wait], least_return: float) -> dict[str, Any]:
    """The same for JSON."""
    middle = statistics.median(wait.seconds for wait in waits)
    return {
        "return": least_return,
        "median_seconds": middle if math.isfinite(middle) else None,
        "seeds": [wait.summary() for wait in waits],
    }
