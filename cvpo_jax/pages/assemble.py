"""Pages that stand alone: a template with its style sheets, scripts and data put in.

In `assets/`, `/* include NAME */` stands for the file of that name and `/* data */` for the data, as JSON.
"""

import json
import math
import re
from importlib.resources import files
from typing import Any

import numpy as np

_DIGITS = 6  # significant ones, of numbers for a curve
_INCLUDE = re.compile(r"/\* (?:include ([\w.]+)|data) \*/")


def page(template: str, data: Any = None) -> str:
    """The page of the template called `template`, whose scripts find `data` as JSON; raises ValueError for NaN."""
    # JSON in HTML: nothing in it may end the element that it stands in.
    text = json.dumps(data, separators=(",", ":"), allow_nan=False, ensure_ascii=False).replace("<", "\\u003c")
    return _INCLUDE.sub(lambda found: _asset(found[1]) if found[1] else text, _asset(template))


def _asset(name: str) -> str:
    return files(__package__).joinpath("assets", name).read_text(encoding="utf-8")


def rounded(values: np.ndarray) -> list[float | int | None]:
    """`values` in as few digits as a curve needs; what is not finite is None."""
    return [_short(float(value)) for value in values]


def _short(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    short = float(f"{value:.{_DIGITS}g}")
    return int(short) if short.is_integer() else short
