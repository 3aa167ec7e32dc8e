"""Watch trainings in a browser: `python -m cvpo_jax.watch [FOLDER] [--port N]`.

Serves a page on this machine alone (on loopback) with all runs under a folder: return, cost against the limit, pressure
and multiplier, predicted against measured cost, speed and time left. It follows them while they train; Ctrl-C ends it.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from cvpo_jax import cli
from cvpo_jax.config import ConfigError
from cvpo_jax.config.errors import require

_LARGEST_PORT = 65_535


@dataclass(frozen=True)
class WatchOptions:
    """Watch all runs under a folder in a browser, while they train."""

    folder: Annotated[Path, Positional, arg(metavar="FOLDER")] = Path("runs")
    """The folder that holds runs, at any depth, or one run."""
    port: int = 8765
    """Where the page is served, on this machine alone; 0: at any free port."""


def serve(options: WatchOptions) -> None:
    """Serve the page until Ctrl-C; raises ConfigError where there is no such folder or the port is taken."""
    from cvpo_jax.pages.dashboard import Dashboard
    from cvpo_jax.pages.server import ADDRESS, Server

    folder = options.folder
    require(folder.is_dir(), f"FOLDER is {folder}: there is no such folder; name the one that holds the runs")
    port = options.port
    require(0 <= port <= _LARGEST_PORT, f"--port is {port}: it must lie between 0 and {_LARGEST_PORT:,}")
    try:
        server = Server(Dashboard(folder), str(folder), port)
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        why = "another program has it" if error.errno == errno.EADDRINUSE else "only root may use it"
        raise ConfigError(f"--port is {port}: {why} on {ADDRESS}; choose another, or 0 for any free one") from error
    try:
        with server:
            print(f"{folder} at {server.url} (Ctrl-C ends it)")
            server.serve_forever()
    except KeyboardInterrupt:
        print("\nno longer served; trainings go on")


def command(arguments: Sequence[str]) -> None:
    """Serve what the command line asks for."""
    serve(cli.read_options(WatchOptions, "watch", arguments))


if __name__ == "__main__":
    cli.leave(cli.main(command))
