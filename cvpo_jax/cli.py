"""The front that all commands share: options from a dataclass, errors in one line with an exit status, `cvpo NAME`.

A command is a file beside this one with a function `command(arguments)`. Its library is imported when the command is
carried out, so that `--help` and mistakes are answered before JAX is loaded.
"""

import ast
import dataclasses
import difflib
import errno
import gc
import importlib
import inspect
import io
import os
import pkgutil
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, NoReturn, TypeVar

from tyro.conf import Positional, arg

from cvpo_jax import __version__
from cvpo_jax.config import Config, ConfigError
from cvpo_jax.config.command_line import OneSpelling, parse, parse_known
from cvpo_jax.config.load import load_experiment

WRONG = 2
INTERRUPTED = 130
OUTSIDE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EFBIG, errno.ESTALE} | {
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ENAMETOOLONG,
    errno.ELOOP,
}
"""Errors of the operating system on files that a user can remedy: a full or lost disk, permissions, names."""
HELP = {"-h", "--help"}
DEBUG = "--debug"
"""An option of every command: below the line that says what is wrong, Python's own message."""

Options = TypeVar("Options")
RunDir = Annotated[Path, Positional, arg(metavar="RUN_DIR")]
RunDirOrNone = Annotated[Path | None, Positional, arg(metavar="[RUN_DIR]")]
RunDirs = Annotated[tuple[Path, ...], Positional, arg(metavar="RUN_DIR [RUN_DIR ...]", help_behavior_hint="(required)")]


def read_options(kind: type[Options], name: str, arguments: Sequence[str]) -> Options:
    """The options of the command `name`, the dataclass `kind`; `--help` prints them and exits. Raises ConfigError."""
    known = [f"--{field.name}" for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for word in arguments:
        option = word.partition("=")[0].replace("-", "_").replace("__", "--", 1)
        if word.startswith("--") and option not in [*known, *HELP]:
            close = difflib.get_close_matches(option, known)
            hint = f"; close to it: {', '.join(close)}" if close else ""
            raise ConfigError(f"Unrecognized option: {word}{hint}; --help lists all options")
    options = _expanded(parse(kind, arguments, prog=program(name)))
    if getattr(options, "run_dirs", None) == ():
        raise ConfigError("RUN_DIR is missing; --help lists all options")
    return options


def _expanded(options: Options) -> Options:
    """`options` with `~` in paths understood, as shells do only where it begins a word."""
    found = {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}  # type: ignore[arg-type]
    paths: dict[str, Any] = {name: value.expanduser() for name, value in found.items() if isinstance(value, Path)}
    for name, value in found.items():
        if isinstance(value, tuple) and value and all(isinstance(each, Path) for each in value):
            paths[name] = tuple(each.expanduser() for each in value)
    return dataclasses.replace(options, **paths)  # type: ignore[type-var]


@dataclass(frozen=True)
class _AllOptions(Generic[Options]):
    """The options of a command that takes an experiment."""

    own: Annotated[Options, arg(name="")]
    config: Annotated[OneSpelling[Config], arg(name="")]


@dataclass(frozen=True)
class _Help(Generic[Options]):
    """What `--help` lists of such a command."""

    experiment: Annotated[Path, Positional, arg(metavar="EXPERIMENT", help_behavior_hint="")]
    """A file with get_config(), as in experiments/. The options with a dot override what it returns."""
    options: Annotated[_AllOptions[Options], arg(name="")]


def with_experiment(kind: type[Any]) -> Any:
    """All that a command with the own options `kind` takes: an experiment and the configuration's options, too."""
    return _Help[kind]  # type: ignore[valid-type]


@dataclass(frozen=True)
class Invocation(Generic[Options]):
    """A command line of three parts: the command's own options, an experiment, and overrides of the latter's."""

    options: Options
    experiment: Path | None
    overrides: tuple[str, ...]

    @property
    def names_env(self) -> bool:
        """Whether the overrides name a task, which makes an experiment of the defaults."""
        return any(word.partition("=")[0] == "--env.id" for word in self.overrides)

    def config(self, default: Config | None = None) -> Config:
        """The experiment, or `default` instead of it, under the overrides; raises ConfigError."""
        if default is None and self.experiment:
            default = load_experiment(self.experiment)
        if default is None and not self.names_env:
            raise ConfigError("name an experiment first, as in experiments/point_goal.py, or a task by --env.id")
        default = default or Config()
        # With the own options, by now at their defaults, so that a misspelled one is recognized as such.
        own = type(self.options)
        kind: Any = _AllOptions[own]  # type: ignore[valid-type]
        return parse(kind, self.overrides, default=_AllOptions(own(), default), prog="").config.validate()


def read_invocation(kind: type[Options], name: str, arguments: Sequence[str]) -> Invocation[Options]:
    """Split `arguments` of the command `name`, whose own options are the dataclass `kind`.

    Own options may stand anywhere; what is left begins with the experiment, if there is one. `--help` prints the
    command's options and the configuration's, with the experiment's defaults if it is named, and exits. Raises
    ConfigError for a value of an own option that cannot be read.
    """
    options, rest = parse_known(kind, arguments)
    experiment = Path(rest.pop(0)) if rest and not rest[0].startswith("-") else None
    if HELP & set(rest):
        default = load_experiment(experiment) if experiment else Config()
        shown = _Help(experiment or Path(), _AllOptions(kind(), default))
        parse(with_experiment(kind), ["--help"], default=shown, prog=program(name), description=inspect.getdoc(kind))
    return Invocation(_expanded(options), experiment and experiment.expanduser(), tuple(rest))


def require_output(option: str, path: Path, suffixes: Sequence[str]) -> None:
    """Raise ConfigError unless a file can be written to `path`, before long work is done for it."""
    if path.suffix.lower() not in suffixes:
        raise ConfigError(f"--{option} is {path}: the file must end in {' or '.join(suffixes)}")
    if not path.parent.is_dir():
        raise ConfigError(f"--{option} is {path}: there is no folder {path.parent}; make it first")
    if path.is_dir():
        raise ConfigError(f"--{option} is {path}: a folder is in its place; name a file")


def program(name: str) -> str:
    """How the user calls the command `name`."""
    return f"cvpo {name}" if Path(sys.argv[0]).name == "cvpo" else f"python -m cvpo_jax.{name}"


def main(command: Callable[[Sequence[str]], None], arguments: Sequence[str] | None = None) -> int:
    """Run `command` on the process's arguments, or those given; returns the exit status.

    Only errors that a user can remedy become one line, a failing host environment's with what it raised below, and with
    `--debug` anyone's with Python's message; any other is a defect and keeps its traceback.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Python would hold back what goes to a file or a pipe until a block is full.
        sys.stdout.reconfigure(line_buffering=True)
    # Tracing makes millions of objects that live on: looking for garbage after every 700 takes a seventh of its time.
    gc.set_threshold(50_000)
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        command([word for word in words if word != DEBUG])
    except BrokenPipeError:
        # What reads the output, such as `head`, has seen enough; nothing may be flushed into its pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return _say("stopped; a run continues from its last checkpoint with --resume", INTERRUPTED)
    except Exception as error:
        said = _remedy(error)
        if not said:
            raise
        if DEBUG in words:
            traceback.print_exception(error)
        return _say(f"error: {said}", WRONG)
    return 0


def _remedy(error: Exception) -> str:
    """The line that a user gets for an error; empty for a defect."""
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}; what was written before is whole" if error.errno in OUTSIDE else ""
    if isinstance(error, ConfigError):
        return str(error)
    return str(error) if isinstance(error, _library_errors()) else ""


def _say(message: str, status: int) -> int:
    print(message, file=sys.stderr)
    return status


def _library_errors() -> tuple[type[Exception], ...]:
    """The library's errors that a user can remedy; imported only once one was raised, since they bring JAX."""
    from cvpo_jax.runs.checkpoint import CheckpointError
    from cvpo_jax.training.train import TrainingError
    from envs import HostError

    return CheckpointError, TrainingError, HostError


def leave(status: int) -> NoReturn:
    """End the process; at once where it was interrupted, since Python waits for what XLA is still compiling."""
    sys.stdout.flush()
    sys.stderr.flush()
    if status == INTERRUPTED:
        os._exit(status)
    sys.exit(status)


def commands() -> dict[str, str]:
    """Name and purpose, the first sentence of its docstring, of each file beside this one that is a command."""
    found = {}
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if not module.ispkg and module.name != "cli":
            # Read without importing it.
            tree = ast.parse((Path(__file__).parent / f"{module.name}.py").read_text())
            found[module.name] = (ast.get_docstring(tree) or "").partition(":")[0]
    return found


def console() -> NoReturn:
    """`cvpo NAME …`: the command of that name, the same as `python -m cvpo_jax.NAME …`."""
    first, *arguments = sys.argv[1:] or [""]
    known, name = commands(), first.replace("-", "_")
    if first == "--version":
        print(f"cvpo_jax {__version__}")
        leave(0)
    if first in ("", *HELP):
        listed = "\n".join(f"  {each:<10} {purpose}" for each, purpose in known.items())
        shown = f"usage: cvpo COMMAND ...\n\n{listed}\n\ncvpo COMMAND --help lists a command's options"
        leave(main(lambda _: print(shown)) or (0 if first else WRONG))
    if name not in known:
        leave(_say(f"error: there is no command {first}; the commands are {', '.join(known)}", WRONG))
    module: Any = importlib.import_module(f"cvpo_jax.{name}")
    leave(main(module.command, arguments))
