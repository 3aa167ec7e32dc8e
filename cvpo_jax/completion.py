"""Let a shell complete commands and options: `source <(cvpo completion bash)`, or zsh's, as a file of its fpath."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union

from tyro.conf import Positional, arg, subcommand

from cvpo_jax import cli
from cvpo_jax.config.command_line import parse

OPTIONS = {
    "bench": "BenchOptions",
    "check": "CheckOptions",
    "completion": "CompletionOptions",
    "doctor": "DoctorOptions",
    "evaluate": "EvaluateOptions",
    "export": "ExportOptions",
    "init": "InitOptions",
    "plot": "PlotOptions",
    "ray_tune": "RayOptions",
    "render": "RenderRequest",
    "report": "ReportOptions",
    "run": "RunOptions",
    "search": "SearchOptions",
    "sweep": "SweepOptions",
    "tasks": "TasksOptions",
    "transfer": "TransferOptions",
    "watch": "WatchOptions",
}
"""The dataclass of each command's options."""
ON_EXPERIMENTS = {"bench", "ray_tune", "run", "search", "sweep"}
"""Commands that take every option of the configuration besides their own."""


@dataclass(frozen=True)
class CompletionOptions:
    """Print a script that lets a shell complete the commands of cvpo, their options and file names."""

    shell: Annotated[Literal["bash", "zsh"], Positional, arg(metavar="bash|zsh")]
    """bash: its startup file may have the line `source <(cvpo completion bash)`. zsh: write the script to a file _cvpo
    in a folder of its fpath."""


def all_commands() -> Any:
    """The options of all commands as tyro's subcommands."""
    kinds = []
    for name, kind in OPTIONS.items():
        options = getattr(importlib.import_module(f"cvpo_jax.{name}"), kind)
        shown = cli.with_experiment(options) if name in ON_EXPERIMENTS else options
        kinds.append(Annotated[shown, subcommand(name, description=inspect.getdoc(options))])
    return Union[tuple(kinds)]  # noqa: UP007  (of a list that is made here)


def script(shell: str) -> str:
    """What the shell has to run."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):  # tyro prints it and leaves
        parse(all_commands(), ["--tyro-print-completion", shell], prog="cvpo")
    # In bash tyro completes no names of files where a word alone is expected, as in `cvpo evaluate runs/RUN`.
    return printed.getvalue().replace("\ncomplete -F", "\ncomplete -o default -F")


def command(arguments: Sequence[str]) -> None:
    """Print the script."""
    print(script(cli.read_options(CompletionOptions, "completion", arguments).shell), end="")


if __name__ == "__main__":
    cli.leave(cli.main(command))
