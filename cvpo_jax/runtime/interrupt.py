"""Ctrl-C and SIGTERM as a request to stop, instead of an exception in the middle of things."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)
GRACE_SECONDS = 5.0


class StopRequest:
    """Whether the user has asked to stop; asking a second time raises KeyboardInterrupt at once."""

    def __init__(self) -> None:
        self.requested = False
        self._told = False

    def handle(self, number: int, frame: object) -> None:
        """The signal handler."""
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        self.tell()

    def tell(self) -> None:
        """Say, once, that the request was heard."""
        if not self._told:
            self._told = True
            # Not print: the signal may have come in the middle of one.
            os.write(2, b"\nstopping after this epoch; once more to stop at once\n")


@contextmanager
def interruptible() -> Iterator[StopRequest]:
    """Collect interrupts within the block. Outside the main thread they cannot be, and none is reported.

    No exception reaches compiled code in the middle of an epoch: the process ends GRACE_SECONDS after a second signal.
    """
    stop = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    arrivals, arriving = os.pipe()
    os.set_blocking(arriving, False)
    over = threading.Event()
    threading.Thread(target=_watch, args=(arrivals, stop, over), daemon=True).start()
    previous = {number: signal.signal(number, stop.handle) for number in SIGNALS}
    previous_arriving = signal.set_wakeup_fd(arriving)
    try:
        yield stop
    finally:
        over.set()
        for number, handler in previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(previous_arriving)
        os.close(arriving)


def _watch(arrivals: int, stop: StopRequest, over: threading.Event) -> None:
    """See signals as they come: Python calls their handlers only once the main thread is back from compiled code."""
    count = 0
    while arrived := os.read(arrivals, 1):
        if arrived[0] in SIGNALS:
            count += 1
            stop.tell()
        if count > 1 and not over.wait(GRACE_SECONDS):
            os.write(2, b"stopped at once; --resume continues from the last checkpoint\n")
            os._exit(130)
    os.close(arrivals)
