"""Exceptions of other people's code in one line: what was raised, and where in their files."""

import traceback
from pathlib import Path
from types import TracebackType

_LONGEST = 300  # characters of a message: JAX writes pages
_OURS = str(Path(__file__).parent)


def describe(error: BaseException) -> str:
    """The type and message of `error`, and the file and line of the user's code that it comes from."""
    text = one_line(str(error))
    text = text if len(text) <= _LONGEST else text[:_LONGEST] + " ..."
    said = f"{type(error).__name__}: {text}" if text else type(error).__name__
    where = _where(error)
    return f"{said} ({where})" if where else said


def one_line(text: str) -> str:
    """`text` without line breaks and repeated spaces."""
    return " ".join(text.split())


def picture_refused(name: str, shape: tuple[int, ...]) -> ValueError:
    """The error for an environment that observes pictures."""
    return ValueError(
        f"{name} observes pictures, of shape {shape}: supported are vectors of features; "
        "return those, or choose an entry of dictionary observations by observation_key"
    )


def _where(error: BaseException) -> str:
    """The deepest line that is neither ours nor an installed package's, else the deepest that is not ours."""
    if isinstance(error, SyntaxError):
        return ""  # its message names the place
    frames = [frame for frame in _frames(error.__traceback__) if not _is_ours(frame.filename)]
    users = [frame for frame in frames if "site-packages" not in frame.filename] or frames
    return f"{users[-1].filename}:{users[-1].lineno}" if users else ""


def _is_ours(filename: str) -> bool:
    return filename.startswith((_OURS, "<frozen"))


def _frames(trace: TracebackType | None) -> list[traceback.FrameSummary]:
    return list(traceback.extract_tb(trace))
