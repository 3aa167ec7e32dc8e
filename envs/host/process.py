"""One worker process as its pool sees it: start it, ask it, notice when it died or hangs, and end it."""

import contextlib
import os
import pickle
import select
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, Pipe
from typing import Any

from envs.host.worker import Failure, Start

_START_SECONDS = 120.0
_POLL_MILLISECONDS = 250
_BOOTSTRAP = """
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.path[:] = {path!r}
from multiprocessing.connection import Connection
from envs.host.worker import serve
serve(Connection({descriptor}))
"""


class WorkerGoneError(Exception):
    """The worker process died or hangs; the message says which worker and how."""


class WorkerProcess:
    """A running worker. `progress` returns a number that changes while the worker is making progress."""

    def __init__(self, start: Start, progress: Callable[[], int]) -> None:
        self.start = start
        self._progress = progress
        self._connection, theirs = Pipe()
        self._answered = select.poll()  # Connection.poll would build a selector at every step
        self._answered.register(self._connection.fileno(), select.POLLIN)
        try:
            self._process = _launch(theirs, start.descriptor)
        finally:
            theirs.close()
        self.ask(start)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def ask(self, message: Any) -> None:
        """Send a command; `answer` waits for its result, and is what tells when the worker is gone."""
        with contextlib.suppress(OSError):
            self._connection.send(message)

    def answer(self, timeout: float = _START_SECONDS) -> list[Failure]:
        """The worker's answer. Raises WorkerGoneError once it died, or made no progress for `timeout` seconds."""
        try:
            self._wait(timeout)
            return self._connection.recv()
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            raise WorkerGoneError(self._obituary()) from error

    def hang_up(self) -> None:
        """Close the connection, upon which an idle worker exits."""
        self._connection.close()

    def end(self, grace: float = 0.0) -> None:
        """Hang up, and kill the process unless it exits within `grace` seconds."""
        self.hang_up()
        try:
            self._process.wait(grace)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait(self, timeout: float) -> None:
        """Return once the worker has answered or hung up."""
        seen, since = -1, time.monotonic()
        while not self._answered.poll(_POLL_MILLISECONDS):
            progress, now = self._progress(), time.monotonic()
            if progress != seen:
                seen, since = progress, now
            elif now - since > timeout:
                raise WorkerGoneError(f"worker process {self.pid} made no progress for {timeout:g} s")

    def _obituary(self) -> str:
        try:
            status = self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            return f"worker process {self.pid} closed its connection"
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        return f"worker process {self.pid} {how}"


def _launch(connection: Connection, descriptor: int) -> subprocess.Popen[bytes]:
    code = _BOOTSTRAP.format(path=sys.path, descriptor=connection.fileno())
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        pass_fds=(connection.fileno(), descriptor),
        process_group=0,  # Ctrl-C in a terminal is for the trainer, which ends its workers
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
