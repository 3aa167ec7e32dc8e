"""What orbax and TensorStore print of checkpoints that cannot be read or written, kept from the terminal.

They pass one error on, which becomes one line, and print tracebacks besides, from threads of their own: of that error
as it travels through them, and of all that fail together with it. They also warn where nobody need do anything: of
every second that a checkpoint takes on a busy disk, and of what a writer that failed left behind, which they remove.
"""

import functools
import logging
import sys
import warnings
from typing import TYPE_CHECKING

from absl import logging as absl_logging

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_IDLE_WARNINGS = ("Waiting for previous save", "Attempted to create temporary directory")


@functools.cache
def quiet_checkpoints() -> None:
    """Leave out those tracebacks in this process, from now on: some come after the error was passed on."""
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    absl_logging.get_absl_logger().addFilter(_is_worth_reading)
    # What orbax, which alone has coroutines here, did not come to after a write had failed.
    warnings.filterwarnings("ignore", r"coroutine '[\w.]+' was never awaited", RuntimeWarning)
    usual = sys.unraisablehook

    def show(found: "UnraisableHookArgs") -> None:
        # TensorStore answers when orbax, which failed meanwhile, has closed the loop that waited.
        if not (isinstance(found.exc_value, RuntimeError) and str(found.exc_value) == "Event loop is closed"):
            usual(found)

    sys.unraisablehook = show


def _is_worth_reading(record: logging.LogRecord) -> bool:
    """Whether it is no error of orbax's, which are told in a line of our own, nor a warning that asks for nothing."""
    of_orbax = "/orbax/" in record.pathname
    return not of_orbax or (record.levelno < logging.ERROR and not str(record.msg).startswith(_IDLE_WARNINGS))
