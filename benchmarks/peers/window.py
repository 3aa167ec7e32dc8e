"""The protocol of every process in a comparison: `seconds` on its input, units per second on its output.

It uses the standard library only, since it also runs in the peers' own Python environment.
"""

import os
import sys
import time
from collections.abc import Callable
from typing import TextIO


def take_output() -> TextIO:
    """The stream for answers. From now on, what libraries print goes to stderr, also while they are imported."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def serve(work: Callable[[], float]) -> None:
    """Call `work`, which returns how many units it did, in windows of the length that each line of the input gives.

    One call comes before the first window, so that compiling and other one-time work are not counted.
    """
    answers = take_output()
    work()
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        seconds, units, begin = float(line), 0.0, time.perf_counter()
        while (elapsed := time.perf_counter() - begin) < seconds or not units:
            units += work()
        print(units / elapsed, file=answers, flush=True)
