"""A command in a process of its own, with its output in a log."""

import subprocess
from collections.abc import Sequence
from pathlib import Path


def logged(command: Sequence[str], log: Path) -> bool:
    """Run `command` to its end, add what it prints to `log`, and tell whether it went well."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as file:
        return subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False).returncode == 0
