"""Options from the command line by tyro: any dataclass, errors in one line, and how mappings are written."""

import contextlib
import io
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, TypeVar, get_args

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from cvpo_jax.config.errors import ConfigError

T = TypeVar("T")

OneSpelling = Annotated[T, tyro.conf.FlagConversionOff]
"""A dataclass whose flags take a value, `--algo.normalize_observations False`, as all other options do."""

STYLE: dict[str, Any] = {"use_underscores": True, "config": (tyro.conf.FlagCreatePairsOff,)}
"""How options look: words of a name are joined by `_`, where `-` is understood too, and a flag has no opposite."""


def parse(kind: Any, arguments: Sequence[str], **options: Any) -> Any:
    """Read `arguments` as the dataclass `kind`; `--help` prints its options and exits.

    `options` are tyro's: `default`, `prog`, `description`. Raises ConfigError for an unknown option or a value that
    cannot be read.
    """
    with _errors_in_one_line():
        return tyro.cli(kind, args=list(arguments), **STYLE | options)


def parse_known(kind: type[T], arguments: Sequence[str]) -> tuple[T, list[str]]:
    """Read the options of the dataclass `kind` out of `arguments`; also returns what else there is, `--help` included.

    Raises ConfigError for a value that cannot be read.
    """
    with _errors_in_one_line():
        return tyro.cli(kind, args=list(arguments), return_unknown_args=True, add_help=False, **STYLE)


@contextlib.contextmanager
def _errors_in_one_line() -> Iterator[None]:
    """Within it tyro knows how limits are written, and its errors become ConfigErrors."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), _REGISTRY:
            yield
    except SystemExit as stop:
        if not stop.code:
            raise
        raise ConfigError(_one_line(said.getvalue())) from None


_REGISTRY = ConstructorRegistry()


@_REGISTRY.primitive_rule
def _mapping_rule(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
    """How a mapping is one word: limits of names as `name=limit,name=limit`, anything else as a JSON object."""
    if info.type_origin is not Mapping:
        return None
    if get_args(info.type)[1] is not float:
        return PrimitiveConstructorSpec(
            nargs=1,
            metavar="JSON",
            instance_from_str=lambda words: read_object(words[0]),
            is_instance=lambda value: isinstance(value, Mapping),
            str_from_instance=lambda value: [json.dumps(value)],
        )
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="NAME=LIMIT,...",
        instance_from_str=lambda words: read_limits(words[0]),
        is_instance=lambda value: isinstance(value, Mapping),
        str_from_instance=lambda limits: [",".join(f"{name}={limit:g}" for name, limit in limits.items())],
    )


@_REGISTRY.primitive_rule
def _numbers_rule(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
    """How a tuple of numbers is written: as words, or between commas."""
    if info.type_origin is not tuple or get_args(info.type) not in ((int, ...), (float, ...)):
        return None
    kind = get_args(info.type)[0]
    return PrimitiveConstructorSpec(
        nargs="*",
        metavar=f"[{kind.__name__.upper()} [{kind.__name__.upper()} ...]]",
        instance_from_str=lambda words: tuple(kind(part) for word in words for part in word.split(",") if part.strip()),
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=lambda value: [f"{number:g}" if kind is float else str(number) for number in value],
    )


def read_limits(text: str) -> dict[str, float]:
    """Read `name=limit,name=limit`; raises ValueError, as tyro asks."""
    limits = {}
    for part in text.split(",") if text else ():
        name, sign, value = (word.strip() for word in part.partition("="))
        if name in limits:
            raise ValueError(f"{name} has two limits in {text!r}: give one")
        try:
            limits[name] = float(value)
        except ValueError:
            sign = ""
        if not sign:
            raise ValueError(f"{part!r} is not of the form name=limit, as in cost_hazards=10")
    return limits


def read_object(text: str) -> dict[str, Any]:
    """Read a JSON object; raises ValueError, as tyro asks."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{text!r} is not JSON ({error}); write it as '{{\"payload\": 2.0}}'") from None
    if not isinstance(value, dict):
        raise ValueError(f"{text!r} is not a JSON object; write it as '{{\"payload\": 2.0}}'")
    return value


def _one_line(box: str) -> str:
    """The message in tyro's box of several lines, with the options it found to be close."""
    title, *lines = [line.strip(" │|╭╮╰╯+") for line in box.splitlines() if line.strip()] or [box]
    # A line of dashes ends the message; after it come hints.
    sections = [
        " ".join(group) for rule, group in itertools.groupby(lines, lambda line: not line.strip("─-")) if not rule
    ]
    message, *rest = sections or [title]
    message = re.sub(r"Missing from .*?: (\S+) .*", r"\1 is missing", message)
    close = [option for option in re.findall(r"--[\w.]+", " ".join(rest)) if option not in f"--help {message}"]
    hint = f"; close to it: {', '.join(dict.fromkeys(close))}" if message.startswith("Unrecognized") and close else ""
    return f"{message.removesuffix('.')}{hint}; --help lists all options"
