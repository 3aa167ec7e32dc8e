"""Files that are written whole or not at all, and folders that one process at a time may write to."""

import fcntl
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cvpo_jax.config import ConfigError

LOCK = ".lock"
"""The file in a folder that is locked while a process writes there. It stays: only the lock on it means anything."""

_DRAFT = re.compile(r"\..+\.([1-9][0-9]*)")


def write_whole(path: Path, content: str | bytes) -> None:
    """Put `content` in place of the file at `path`; whatever happens, what stands there is the old file or the new one.

    Raises OSError that names `path`.
    """
    data = content.encode() if isinstance(content, str) else content
    # Readers list folders by known names, and no two processes share a number: `_remove_drafts` tells by it.
    draft = path.with_name(f".{path.name[:200]}.{os.getpid()}")
    with naming(path):
        try:
            with draft.open("wb") as file:
                file.write(data)
                file.flush()
                # Otherwise a power cut could leave the new name with none of the content.
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError:
            _remove(draft)
            raise


def append_line(path: Path, line: str) -> None:
    """Append `line` to the file at `path`, which is left as it was where that fails; raises OSError that names it."""
    data = f"{line}\n".encode()
    with naming(path), path.open("ab", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        try:
            while data:
                data = data[file.write(data) :]
        except OSError:
            file.truncate(size)
            raise


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Have an OSError of the block name `path`: one of an open file says nothing about where it lies."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Make `folder` and hold it for this process, until the block ends or the process does, however it ends.

    Drafts that a killed process left there are removed, and the folder itself again if nothing was put into it. Raises
    ConfigError where another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _lock(descriptor, folder)
        _remove_drafts(folder)
        try:
            yield
        finally:
            # Someone may have removed it meanwhile.
            if [path.name for path in folder.glob("*")] == [LOCK]:
                _remove(folder / LOCK)
                _remove(folder)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    """Lock the open file and write this process's number into it; raises ConfigError where another has done so."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "another process"
        raise ConfigError(
            f"{folder} is being written to by {holder}: wait for it or stop it, or choose another folder"
        ) from error
    except OSError:
        # Some network file systems have no locks; there it is up to the user.
        return
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)


def _remove_drafts(folder: Path) -> None:
    """Remove what `write_whole` left in `folder` when its process was killed."""
    for path in folder.glob(".*"):
        found = _DRAFT.fullmatch(path.name)
        if found and not _is_running(int(found[1])):
            _remove(path)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _remove(path: Path) -> None:
    """Remove a file or an empty folder, if that can be done."""
    try:
        path.rmdir() if path.is_dir() else path.unlink()
    except OSError:
        return
