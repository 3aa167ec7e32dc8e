"""What TensorBoard is given, over several sessions of a run."""

import math
import struct

from tensorboardX.proto.event_pb2 import Event, SessionLog

from cvpo_jax.runs.board import Board


def events(path):
    """The events of a file: records of length, checksum, event, checksum."""
    data, position, found = path.read_bytes(), 0, []
    while position < len(data):
        (length,) = struct.unpack_from("<Q", data, position)
        found.append(Event.FromString(data[position + 12 : position + 12 + length]))
        position += 12 + length + 4
    return found


def test_a_later_session_takes_back_what_came_after_its_first_step(tmp_path):
    for step, pid in ((0, 1), (100, 2)):
        board = Board(tmp_path, step)
        board.evaluation({"step": step + 50, "return_mean": 1.5, "cost_mean": math.nan})
        board.close()
        next(tmp_path.glob("events*[0-9]")).rename(tmp_path / f"session{pid}")
    first, second = (events(tmp_path / f"session{pid}") for pid in (1, 2))
    assert [(event.step, event.summary.value[0].tag) for event in first[1:]] == [
        (50, "step"),
        (50, "return_mean"),
    ]
    assert not any(event.session_log.status == SessionLog.START for event in first)
    assert [event.step for event in second if event.session_log.status == SessionLog.START] == [101]
