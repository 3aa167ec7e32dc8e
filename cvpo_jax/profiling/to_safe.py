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
from cvpo_jax.runs.metrics import METRICS, Row, read_metrics

IN_A_ROW = 3
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
    """Mean cost relative to the limit; the largest of several."""

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


def first_safe(rows: Sequence[Row], least_return: float) -> int | None:
    """Which evaluation is the first of three in a row within the limit that reach `least_return`; None: none yet."""
    good = [_is_safe(row) and row["return_mean"] >= least_return for row in rows]
    starts = range(len(rows) - IN_A_ROW + 1)
    return next((start for start in starts if all(good[start : start + IN_A_ROW])), None)


def _is_safe(row: Row) -> bool:
    return max(_costs_over_limits(row)) <= 1


def _costs_over_limits(row: Row) -> list[float]:
    return [float(value) for name, value in row.items() if name.startswith("cost_over_limit")]


def _wait(command: Sequence[str], least_return: float, seed: int, run_dir: Path, environment: dict[str, str]) -> Wait:
    """Train one seed in a process of its own until it is there, then end the process."""
    words = [sys.executable, "-m", "cvpo_jax.run", *command, "--train.seed", str(seed), "--run_dir", str(run_dir)]
    came: list[float] = []
    begin = time.perf_counter()
    with subprocess.Popen(
        words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            ended = False
            while not ended:
                ended = process.poll() is not None
                rows = read_metrics(run_dir) if (run_dir / METRICS).exists() else []
                came += [time.perf_counter() - begin] * (len(rows) - len(came))
                if (index := first_safe(rows, least_return)) is not None:
                    row = rows[index]
                    return Wait(seed, came[index], row["step"], row["return_mean"], max(_costs_over_limits(row)))
                time.sleep(_PAUSE)
        finally:
            process.kill()
            told = process.stderr.read() if process.stderr else ""
    if process.returncode:
        raise ConfigError(f"the training of seed {seed} failed: {told.strip().splitlines()[-1] if told else ''}")
    return Wait(seed)


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
