"""Ratios of our speed to our peers', from windows that alternate on one core.

`python benchmarks/peers/compare.py [--pairs update,environment] [--windows N] [--seconds S] [--core I] [--json]`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PEERS = HERE / ".venvs" / "peers" / "bin" / "python"
PAIRS = {
    "update": ("FSRL's CVPO, updates/s", [str(PEERS), "fsrl_peer.py", "update"]),
    "stratified": ("the same, 8 samples for 16", [str(PEERS), "fsrl_peer.py", "update"]),
    "rounded": ("the same, products of bfloat16", [str(PEERS), "fsrl_peer.py", "update"]),
    "environment": ("Safety-Gymnasium, steps/s", [str(PEERS), "safety_gymnasium_peer.py"]),
    "sac": ("Brax's SAC, training steps/s", [sys.executable, "sac_peer.py"]),
    "training": ("FSRL's CVPO, training steps/s", [str(PEERS), "fsrl_peer.py", "training"]),
    "stratified-training": ("the same, 8 samples for 16", [str(PEERS), "fsrl_peer.py", "training"]),
    "rounded-training": ("the same, products of bfloat16", [str(PEERS), "fsrl_peer.py", "training"]),
}
ROW = "{:<32} {:>10} {:>10} {:>8}   {}"


class Side:
    """One process of a comparison; it computes only while it is asked."""

    def __init__(self, command: list[str]) -> None:
        path = os.pathsep.join([str(HERE.parent.parent), os.environ.get("PYTHONPATH", "")])
        environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=HERE, env=environment, text=True, stdin=pipe, stdout=pipe)
        self.command = " ".join(command[1:])

    def read(self) -> str:
        """The next answer; raises RuntimeError if the process has ended."""
        assert self.process.stdout
        if line := self.process.stdout.readline():
            return line.strip()
        raise RuntimeError(f"{self.command} ended: see above, and benchmarks/peers/README.md for what it needs")

    def measure(self, seconds: float) -> float:
        """Units per second in one window."""
        assert self.process.stdin
        print(seconds, file=self.process.stdin, flush=True)
        return float(self.read())

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()


def compare(name: str, windows: int, seconds: float) -> dict[str, float | str]:
    """Median speeds of both sides of a pair, and the median and range of the windows' ratios."""
    label, command = PAIRS[name]
    sides: list[Side] = []
    try:
        for words in ([sys.executable, "ours.py", name], command):
            sides.append(Side(words))
            # One after the other, so that the preparations of one side do not slow down the other.
            sides[-1].read()
        rates = [[side.measure(seconds) for side in sides] for _ in range(windows)]
    finally:
        for side in sides:
            side.close()
    ratios = [ours / theirs for ours, theirs in rates]
    ours, theirs = (statistics.median(column) for column in zip(*rates, strict=True))
    middle = {"ours": ours, "theirs": theirs, "ratio": statistics.median(ratios)}
    return {"peer": label, **middle, "ratio_low": min(ratios), "ratio_high": max(ratios), "windows": windows}


def main() -> None:
    """Compare the pairs and print a table or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--pairs", default=",".join(PAIRS), help="a selection of " + ", ".join(PAIRS))
    parser.add_argument("--windows", type=int, default=5)
    parser.add_argument(
        "--seconds", type=float, default=3.0, help="length of a window; a training cycle may take longer"
    )
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.sched_setaffinity(0, {options.core})
    results = {}
    if not options.json:
        print(ROW.format("peer (one core)", "ours", "theirs", "ratio", "range"))
    for name in options.pairs.split(","):
        result = results[name] = compare(name, options.windows, options.seconds)
        if not options.json:
            numbers = (f"{result[key]:,.1f}" for key in ("ours", "theirs", "ratio"))
            spread = f"{result['ratio_low']:.1f} to {result['ratio_high']:.1f}"
            print(ROW.format(str(result["peer"]), *numbers, spread), flush=True)
    if options.json:
        print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
