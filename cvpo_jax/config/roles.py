"""What the program does with an option, declared beside its default: the one place all parts ask.

An option is static, compiled into the program, unless it is declared a `number`: an argument of the compiled program,
in which the trials of one population may differ. `shapes_checkpoint` says that stored arrays have their shapes from it,
or are of an environment that it makes, so that a resumed run has to keep it.
"""

import dataclasses
from typing import Any

_NUMBER, _SHAPES_CHECKPOINT = "number", "shapes_checkpoint"


def number(default: Any, **options: Any) -> Any:
    """The field of an option that is an array `[]` in the compiled program."""
    return dataclasses.field(default=default, metadata={_NUMBER: True}, **options)


def shapes_checkpoint(default: Any = dataclasses.MISSING, **options: Any) -> Any:
    """The field of a static option that stored arrays, or the environments in them, are made by."""
    return dataclasses.field(default=default, metadata={_SHAPES_CHECKPOINT: True}, **options)


def numbers(section: type) -> tuple[str, ...]:
    """The names of a section's options that are arrays."""
    return tuple(field.name for field in dataclasses.fields(section) if field.metadata.get(_NUMBER))


def shaping(section: type) -> tuple[str, ...]:
    """The names of a section's options that shape a checkpoint."""
    return tuple(field.name for field in dataclasses.fields(section) if field.metadata.get(_SHAPES_CHECKPOINT))
