"""What all entry points share: output by lines, and errors in one line with an exit status."""

import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from cvpo_jax.config import ConfigError
from cvpo_jax.runs.checkpoint import CheckpointError
from cvpo_jax.training.train import TrainingError
from envs.host.pool import HostError

WRONG = 2
INTERRUPTED = 130


def main(command: Callable[[Sequence[str]], None], arguments: Sequence[str] | None = None) -> int:
    """Run `command` on the process's arguments, or those given; returns the exit status.

    Only errors that a user can mend become one line, a failing host environment's with what it raised below; any other
    one is a defect and keeps its traceback.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Into a file or a pipe Python would hold output back by the block.
        sys.stdout.reconfigure(line_buffering=True)
    try:
        command(sys.argv[1:] if arguments is None else arguments)
    except (ConfigError, CheckpointError, TrainingError, HostError) as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG
    except KeyboardInterrupt:
        print("stopped; --resume goes on from the last checkpoint", file=sys.stderr)
        return INTERRUPTED
    return 0


def leave(status: int) -> NoReturn:
    """End the process; at once where it was interrupted, since Python waits for what XLA is still compiling."""
    sys.stdout.flush()
    sys.stderr.flush()
    if status == INTERRUPTED:
        os._exit(status)
    sys.exit(status)
