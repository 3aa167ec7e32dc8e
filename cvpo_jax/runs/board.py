"""TensorBoard's file of one session of a run."""

import math
import os
import time
from pathlib import Path

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.summary import scalar

from cvpo_jax.runs.metrics import Row
from cvpo_jax.runtime.files import naming


class Board:
    """Writes metrics as they come in; raises OSError that names the folder where they cannot be written.

    In this thread, unlike `SummaryWriter`: behind its queue a full disk is not heard of, and it waits forever.
    """

    def __init__(self, folder: Path, step: int) -> None:
        """`step` is where the session begins: what earlier ones wrote of later steps is not shown any more."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        earlier = any(folder.iterdir())
        self._writer = EventsWriter(str(folder / "events"), filename_suffix=f".{os.getpid()}")
        if earlier:
            self._writer.write_event(_event(step + 1, file_version="brain.Event:2"))
            self._writer.write_event(_event(step + 1, session_log=SessionLog(status=SessionLog.START)))

    def evaluation(self, row: Row) -> None:
        """Write every metric that is finite."""
        with naming(self._folder):
            for name, value in row.items():
                if math.isfinite(value):
                    self._writer.write_event(_event(int(row["step"]), summary=scalar(name, value)))
            self._writer.flush()

    def close(self) -> None:
        """End the session."""
        with naming(self._folder):
            self._writer.close()


def _event(step: int, **content: object) -> Event:
    """Something of now that belongs to a step."""
    return Event(wall_time=time.time(), step=step, **content)
