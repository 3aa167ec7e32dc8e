"""Ctrl-C and SIGTERM as a wish to stop, not as an exception in the midst of things."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Whether the user has asked to stop; a second time raises KeyboardInterrupt at once."""

    def __init__(self) -> None:
        self.requested = False

    def handle(self, number: int, frame: object) -> None:
        """The signal handler."""
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        # Not print: the signal may have come in the middle of one.
        os.write(2, b"\nstopping after this epoch; once more to stop at once\n")


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Collect interrupts within the block; elsewhere than in the main thread they cannot be, and none is reported."""
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    previous = {number: signal.signal(number, interruption.handle) for number in SIGNALS}
    try:
        yield interruption
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
