"""Write the generated pages of docs/reference: `python docs/generate.py [--check]`, or `make docs`.

- `config.md`: every option of every section, from the dataclasses and the docstrings below their fields.
- `commands.md`: the `--help` of every command.
- `metrics.md`: every key of `metrics.jsonl`, from `cvpo_jax.runs.metric_keys`.

With `--check` nothing is written, and the exit status is 1 if a page is stale.
"""

import argparse
import ast
import contextlib
import dataclasses
import inspect
import io
import os
import re
import runpy
import sys
import types
import typing
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # so that the checkout is documented, wherever the script is started

NOTE = "<!-- Written by docs/generate.py: change what it reads, then run `make docs`. -->"
TERMINAL = {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb", "JAX_PLATFORMS": "cpu"}
LIBRARY = ("__init__", "cli")
"""Files at the top of `cvpo_jax` that are no commands."""
SECTIONS_BELOW = re.compile(r"^\W*env options\b.*", flags=re.MULTILINE | re.DOTALL)
"""The options of the configuration, with which the help of a command that takes an experiment ends."""


def table(*rows: tuple[str, ...]) -> str:
    """Return a Markdown table whose first row is the head."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def field_docs(section: type) -> dict[str, str]:
    """Return the docstring below each option of a section; fields that are sections themselves are left out.

    Raises:
        ValueError: if an option has no docstring.
    """
    hints = typing.get_type_hints(section)
    (definition,) = ast.parse(inspect.cleandoc(inspect.getsource(section))).body
    assert isinstance(definition, ast.ClassDef)
    docs: dict[str, str] = {}
    for field, below in zip(definition.body, [*definition.body[1:], None], strict=True):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        name = field.target.id
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            docs[name] = " ".join(str(below.value.value).split())
        elif not dataclasses.is_dataclass(hints[name]):
            raise ValueError(f"{section.__name__}.{name} has no docstring below it")
    return docs


def type_text(hint: Any) -> str:
    """Return a type as somebody who types a value needs it."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return " or ".join(f"`{choice}`" for choice in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(type_text(part) for part in arguments)
    if origin is tuple:
        return f"{type_text(arguments[0])} …"
    if inspect.isclass(origin) and issubclass(origin, Mapping):
        return "JSON object" if arguments[1] is Any else f"NAME={arguments[1].__name__},…"
    return "None" if hint is type(None) else hint.__name__


def default_text(value: Any) -> str:
    """Return a default as it is typed on the command line."""
    if isinstance(value, tuple):
        return f"`{' '.join(str(part) for part in value)}`" if value else "empty"
    if isinstance(value, Mapping):
        return ",".join(f"{name}={part}" for name, part in value.items()) or "empty"
    return f"`{value}`"


def options_table(section: type, prefix: str) -> str:
    """Return the table of a section's options, which are called `prefix` and their name."""
    hints, defaults = typing.get_type_hints(section), section()
    rows = [
        (f"`{prefix}{name}`", type_text(hints[name]), default_text(getattr(defaults, name)), meaning)
        for name, meaning in field_docs(section).items()
    ]
    return table(("option", "type", "default", "meaning"), *rows)


def config_page() -> str:
    """Return the page of all options."""
    from cvpo_jax.config import Config

    blocks = [
        "# Configuration",
        NOTE,
        "Every option of every section. On the command line `--section.option VALUE` overrides an experiment, in"
        " Python each section is a frozen dataclass (`cvpo_jax.EnvConfig`, …), and a run stores all of them in"
        " [`config.json`](run_directory.md). [Training](../guide/train.md) shows all three.",
    ]
    for field in dataclasses.fields(Config):
        section = typing.get_type_hints(Config)[field.name]
        if dataclasses.is_dataclass(section):
            assert isinstance(section, type)
            blocks += [f"## {field.name}", inspect.getdoc(section) or "", options_table(section, f"{field.name}.")]
    return "\n\n".join([*blocks, "## Without a section", options_table(Config, "")]) + "\n"


def commands() -> tuple[str, ...]:
    """Return the modules that are commands: files at the top of `cvpo_jax`, and what `envs` can be asked by itself."""
    trainer = sorted(path.stem for path in (ROOT / "cvpo_jax").glob("*.py") if path.stem not in LIBRARY)
    files = [path.stem for path in (ROOT / "envs").glob("*.py") if '__name__ == "__main__"' in path.read_text()]
    folders = [path.parent.name for path in (ROOT / "envs").glob("*/__main__.py")]
    return (*(f"cvpo_jax.{name}" for name in trainer), *(f"envs.{name}" for name in sorted([*files, *folders])))


def help_text(module: str) -> str:
    """Return what `python -m MODULE --help` prints on a terminal of 100 columns.

    Raises:
        RuntimeError: if it prints nothing, as a command does that cannot even be imported.
    """
    printed = io.StringIO()
    with (
        mock.patch.object(sys, "argv", [module, "--help"]),
        contextlib.redirect_stdout(printed),
        contextlib.suppress(SystemExit),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # runpy warns of modules that another command has imported
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    if not printed.getvalue():
        raise RuntimeError(f"python -m {module} --help prints nothing")
    return "\n".join(line.rstrip() for line in printed.getvalue().strip().splitlines())


def commands_page() -> str:
    """Return the page of all commands."""
    blocks = [
        "# Commands",
        NOTE,
        "What `--help` prints. Commands that take an experiment also take every option of the"
        " [configuration](config.md), which is left out here.",
    ]
    for module in commands():
        text = SECTIONS_BELOW.sub("  --section.option VALUE, for any option of the configuration", help_text(module))
        blocks += [f"## python -m {module}", f"```text\n{text}\n```"]
    return "\n\n".join(blocks) + "\n"


def metrics_page() -> str:
    """Return the page of all metrics."""
    from cvpo_jax.runs.metric_keys import CONSTRAINT, GROUPS, LIMIT

    blocks = [
        "# Metrics",
        NOTE,
        "Each evaluation writes one JSON object, on a line of its own, to `metrics.jsonl` and its finite values to"
        f" TensorBoard. `null` stands for what is not finite or not known yet. `{LIMIT}` stands for nothing, and"
        f" `{CONSTRAINT}` for nothing with one constraint, for `_0`, `_1`, … with several (`--algo.constraints`), in"
        " their order. A training at several limits (`--algo.limits`) has every key with either of them twice over:"
        " under the plain name, as the mean over its limits, and for each of them with `_0`, `_1`, … in that place.",
    ]
    for group in GROUPS:
        rows = [(f"`{key.name}`", key.unit, key.meaning) for key in group.keys]
        blocks += [part for part in (f"## {group.title}", group.note) if part]
        blocks.append(table(("key", "unit", "meaning"), *rows))
    return "\n\n".join(blocks) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "config.md": config_page,
    "commands.md": commands_page,
    "metrics.md": metrics_page,
}


def main() -> int:
    """Write the pages, or check them; returns the exit status."""
    parser = argparse.ArgumentParser(description="Write the generated pages of docs/reference.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with status 1 if a page is stale")
    check = parser.parse_args().check
    os.environ.update(TERMINAL)
    stale = []
    for name, make in PAGES.items():
        path, made = ROOT / "docs" / "reference" / name, make()
        if path.exists() and path.read_text() == made:
            continue
        stale.append(name)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(made)
    if stale:
        print(f"{'stale, run `make docs`' if check else 'written'}: {', '.join(stale)}")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
