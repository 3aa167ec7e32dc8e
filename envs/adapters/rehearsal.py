"""An environment of one's own, made and stepped in a process of its own before it is made in this one.

One that crashes or calls os._exit ends that process alone, and the user is told. The process does without JAX, which
takes seconds to import: what needs it is left to this process to make.
"""

import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import tempfile
import traceback
from dataclasses import astuple
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from envs.adapters.errors import one_line
from envs.adapters.source import Source, is_gymnasium, is_gymnasium_vector

STEPS = 16
UNKNOWN, VECTOR, SINGLE = "unknown", "vector", "gymnasium"
_LONGEST = 200  # characters of what it printed last
_BOOTSTRAP = """
import sys
sys.path[:] = {path!r}
from envs.adapters.rehearsal import perform
perform(sys.argv[1])
"""
_FRAME = re.compile(r'File "(.+)", line (\d+)')


class _Rehearsal:
    """The process, from its start on."""

    def __init__(self, source: Source) -> None:
        self._source = source
        # Files, since pipes stay open as long as any process that the environment starts.
        self._result, self._printed = (tempfile.TemporaryFile() for _ in range(2))  # noqa: SIM115, they outlive this
        code = _BOOTSTRAP.format(path=sys.path)
        self._process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-c", code, json.dumps(astuple(source))],
            stdin=subprocess.DEVNULL,
            stdout=self._result,
            stderr=self._printed,
        )

    def kind(self) -> str:
        """Wait for what it found; raises ValueError, in one line, where the environment ended it."""
        status = self._process.wait()
        if found := _text(self._result):
            return found
        how = f"with status {status}" if status >= 0 else f"by signal {-status} ({signal.Signals(-status).name})"
        raise ValueError(
            f"{self._source.task_id} ended its process {how} as it was made, reset and stepped{self._where()}: "
            "have it raise an exception instead of os._exit, or mend what crashes"
        )

    def _where(self) -> str:
        """The user's line it came to, as Python says of a crash, or else what was printed last."""
        printed = _text(self._printed)
        library = (sysconfig.get_path("stdlib"), str(Path(__file__).parent), "<")
        frames = [frame for frame in _FRAME.findall(printed) if not frame[0].startswith(library)]
        if frames:
            return " at {}:{}".format(*frames[0])
        last = one_line(printed.rstrip().rpartition("\n")[2])[:_LONGEST]
        return f', saying "{last}"' if last else ""


begin = cache(_Rehearsal)
"""Start the rehearsal of a source ahead of time, to do other work meanwhile."""


def kind(source: Source) -> str:
    """VECTOR or SINGLE, of Gymnasium's environments, else UNKNOWN: also where anything was raised.

    Raises ValueError, in one line with the remedy, where the environment ended the process.
    """
    return begin(source).kind()


def perform(source: str) -> NoReturn:
    """Make the environment that the JSON `source` names, reset and step it, and write its kind to stdout."""
    result, leave = os.dup(1), os._exit
    os.dup2(2, 1)  # what environments print
    sys.modules["jax"] = None  # type: ignore[assignment]

    def told(status: int) -> NoReturn:
        traceback.print_stack(sys._getframe(1), limit=1)
        sys.stderr.flush()
        leave(status)

    os._exit = told
    found = UNKNOWN
    try:
        env = Source(*json.loads(source)).load(num_envs=1)
        found = VECTOR if is_gymnasium_vector(env) else SINGLE if is_gymnasium(env) else UNKNOWN
        if found != UNKNOWN:
            _play(env, found == VECTOR)
            env.close()
    except (Exception, SystemExit):
        pass  # The process that makes it for good will raise the same, and say it better.
    os.write(result, found.encode())
    leave(0)


def _play(env: Any, vector: bool) -> None:
    """A reset and a few random steps."""
    env.reset(seed=0)
    env.action_space.seed(0)
    for _ in range(STEPS):
        _, _, *_, terminated, truncated, _ = env.step(env.action_space.sample())
        if not vector and (terminated or truncated):
            env.reset(seed=0)


def _text(file: BinaryIO | Any) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
