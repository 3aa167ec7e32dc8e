"""Whether the values of options are of their types and can be held: from Python and from files nobody else checks."""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, Union

from cvpo_jax.config.errors import ConfigError

INT_BOUND = 2**31
"""Counters of the compiled program are smaller."""
HOST_ONLY = {"train.steps"}
"""Whole numbers that the compiled program never sees."""
LARGEST, SMALLEST = 1e30, 1e-30
"""Bounds on the magnitude of numbers other than 0: in float32 those beyond are infinite or 0, or their products are."""


def require_types(section: str, options: Any) -> None:
    """Raise ConfigError unless every option of the dataclass `options` is of its declared type, and can be held."""
    hints = typing.get_type_hints(type(options))
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        name = f"{section}.{field.name}"
        if wrong := "" if name in HOST_ONLY and _is_whole(value) else _wrong(hints[field.name], value):
            shown = f'"{value}"' if isinstance(value, str) else value
            raise ConfigError(f"--{name} is {shown}: it must be {wrong}")


def _wrong(kind: Any, value: Any) -> str:
    """What `value` must be; empty where it is."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        missing = [_wrong(each, value) for each in arguments]
        return "" if "" in missing else " or ".join(sorted(set(missing), key=missing.index))
    if origin is Literal:
        return "" if value in arguments and isinstance(value, str) else f"one of {', '.join(arguments)}"
    if origin is tuple:
        what = "a list of whole numbers" if arguments[0] is int else "a list of numbers"
        return _all_wrong(what, arguments[0], value) if isinstance(value, tuple) else "a tuple"
    if origin is Mapping:
        if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
            return "a mapping from names"
        return _all_wrong("a mapping from names to numbers", arguments[1], value.values())
    return _CHECKS[kind](value)


def _all_wrong(what: str, kind: Any, values: Any) -> str:
    """`what` the whole must be, where one of the values is wrong."""
    wrong = [each for value in values if kind is not Any and (each := _wrong(kind, value))]
    return f"{what}, each {wrong[0]}" if wrong else ""


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _wrong_int(value: Any) -> str:
    if not _is_whole(value):
        return "a whole number"
    return "" if abs(value) < INT_BOUND else f"less than 2^31, {INT_BOUND:,}"


def _wrong_float(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "a number"
    if not math.isfinite(value):
        return "a finite number"
    fits = value == 0 or SMALLEST <= abs(value) <= LARGEST
    return "" if fits else f"0 or between {SMALLEST:g} and {LARGEST:g}: float32 holds no others"


_CHECKS = {
    int: _wrong_int,
    float: _wrong_float,
    bool: lambda value: "" if isinstance(value, bool) else "True or False",
    str: lambda value: "" if isinstance(value, str) else "a text",
    types.NoneType: lambda value: "" if value is None else "None",
}
