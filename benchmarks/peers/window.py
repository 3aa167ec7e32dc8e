"""What every process of a comparison answers to: `seconds` on its input, units a second on its output.

Standard library only, since it runs under the peers' Python environments too.
"""

import os
import sys
import time
from collections.abc import Callable
from typing import TextIO


def take_output() -> TextIO:
    """Where answers go. What libraries print goes to the errors from now on, also while they are imported."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def serve(work: Callable[[], float]) -> None:
    """Call `work`, which returns how many units it did, in windows as long as each line of the input asks for.

    One call comes before the first window, so that compiling and first touches count nowhere.
    """
    answers = take_output()
    work()
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        seconds, units, begin = float(line), 0.0, time.perf_counter()
        while (elapsed := time.perf_counter() - begin) < seconds or not units:
            units += work()
        print(units / elapsed, file=answers, flush=True)
