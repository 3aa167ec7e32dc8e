"""How long a run has trained and how fast it goes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Timer:
    """Seconds of training proper, without evaluations and checkpoints; `seconds` may start from an earlier session."""

    seconds: float = 0.0
    _timed_seconds: float = 0.0
    _timed_epochs: int = 0
    _compiled: bool = False

    @contextmanager
    def epoch(self) -> Iterator[None]:
        """Time the warm-up or an epoch. The first one compiles: it counts as training, but not for the speed."""
        begin = time.perf_counter()
        yield
        seconds = time.perf_counter() - begin
        self.seconds += seconds
        if self._compiled:
            self._timed_seconds += seconds
            self._timed_epochs += 1
        self._compiled = True

    def per_second(self, per_epoch: int) -> float:
        """The rate of what is done `per_epoch` times an epoch; NaN until there is an epoch to judge by."""
        return per_epoch * self._timed_epochs / self._timed_seconds if self._timed_epochs else float("nan")
