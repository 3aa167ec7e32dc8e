"""Train for long and watch what grows: `python benchmarks/soak.py EXPERIMENT [--minutes 120] [--out FILE] [OPTION …]`.

A training in a process of its own evaluates and saves after every epoch. Meanwhile a line of JSON at a time tells of it
and of its worker processes: resident memory, open files, threads, the disk that the run takes and the evaluations so
far; the first line holds the command. In the end the growth of each per hour is printed, after the first tenth, in
which caches fill up. OPTION is any of `cvpo_jax.run`: make epochs short and networks small, for many checkpoints.
"""

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

MIB = 2**20
FOREVER = 1_000_000_000
"""Steps to train for: the minutes are over long before."""


@dataclass(frozen=True)
class Sample:
    """What a training and its workers hold at a moment."""

    minutes: float
    memory_mib: float
    """Resident memory of the training process."""
    workers_memory_mib: float
    """Resident memory of all its worker processes, shared pages counted in each."""
    open_files: int
    threads: int
    processes: int
    disk_mib: float
    """Size of all files in the run directory."""
    evaluations: int


def main() -> int:
    """Train, write samples and print what grew; returns the exit status of the training."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0])
    parser.add_argument("experiment")
    parser.add_argument("--minutes", type=float, default=120.0, help="of training (%(default)g)")
    parser.add_argument("--seconds", type=float, default=30.0, help="between two samples (%(default)g)")
    parser.add_argument("--out", type=Path, default=Path("soak.jsonl"), help="(%(default)s)")
    options, others = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder, options.out.open("w") as file:
        run_dir = Path(folder) / "run"
        command = ["-m", "cvpo_jax.run", options.experiment, "--eval.every", "1", "--train.steps", str(FOREVER)]
        command += ["--train.max_minutes", f"{options.minutes:g}", *others]
        file.write(json.dumps({"command": shlex.join(["python", *command])}) + "\n")
        process = subprocess.Popen([sys.executable, *command, "--run_dir", str(run_dir)], stdout=subprocess.DEVNULL)
        samples = []
        for sample in watch(process, run_dir, options.seconds):
            samples.append(sample)
            file.write(json.dumps(asdict(sample)) + "\n")
            file.flush()
    print("\n".join(f"{name}: {rate:+.3g} an hour" for name, rate in growth(samples).items()))
    return process.returncode


def watch(process: "subprocess.Popen[bytes]", run_dir: Path, seconds: float) -> Iterator[Sample]:
    """A sample every so many seconds, until the process ends; the first once there is an evaluation."""
    begin = time.monotonic()
    while process.poll() is None:
        try:
            if evaluations := _lines(run_dir / "metrics.jsonl"):
                yield _sample(process.pid, run_dir, (time.monotonic() - begin) / 60, evaluations)
        except FileNotFoundError:
            pass  # The training, a worker or an old checkpoint went away while it was looked at.
        time.sleep(seconds)


def growth(samples: Sequence[Sample]) -> dict[str, float]:
    """What each number gained per hour after the first tenth of the time: the slope of the line through its samples."""
    if len(samples) < 2:
        return {}
    begin, end = samples[0].minutes, samples[-1].minutes
    late = [sample for sample in samples if sample.minutes >= begin + (end - begin) / 10]
    hours = [sample.minutes / 60 for sample in late]
    names = [field.name for field in fields(Sample) if field.name != "minutes"]
    return {name: float(np.polyfit(hours, [getattr(sample, name) for sample in late], 1)[0]) for name in names}


def _sample(process: int, run_dir: Path, minutes: float, evaluations: int) -> Sample:
    """What there is now; raises FileNotFoundError where some of it has just gone."""
    workers = _descendants(process)
    status = {each: _status(each) for each in (process, *workers)}
    return Sample(
        minutes=round(minutes, 2),
        memory_mib=round(status[process]["VmRSS"] / 1024, 1),
        workers_memory_mib=round(sum(status[each]["VmRSS"] for each in workers) / 1024, 1),
        open_files=sum(len(list(Path(f"/proc/{each}/fd").iterdir())) for each in status),
        threads=sum(of["Threads"] for of in status.values()),
        processes=len(status),
        disk_mib=round(sum(path.stat().st_size for path in run_dir.rglob("*") if path.is_file()) / MIB, 3),
        evaluations=evaluations,
    )


def _status(process: int) -> dict[str, int]:
    """Kilobytes of resident memory and number of threads, as the kernel tells them."""
    rows = (line.split() for line in Path(f"/proc/{process}/status").read_text().splitlines())
    return {row[0].rstrip(":"): int(row[1]) for row in rows if row and row[0] in ("VmRSS:", "Threads:")}


def _descendants(process: int) -> list[int]:
    """The processes that it started, theirs included."""
    # Each thread has children of its own.
    lists = [path.read_text() for path in Path(f"/proc/{process}/task").glob("*/children")]
    children = [int(word) for text in lists for word in text.split()]
    return [each for child in children for each in (child, *_descendants(child))]


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.is_file() else 0


if __name__ == "__main__":
    sys.exit(main())
