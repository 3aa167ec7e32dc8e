"""Episodes as a page: what happened at each step as compact JSON, pictures as data URIs where nothing can be drawn.

Notation: T steps, C constraints, F pictures.
"""

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from cvpo_jax.experience.film import Film
from cvpo_jax.pages.assemble import page, rounded
from envs.navigation.tracks import intervals

MOST_BYTES = 24_000_000
"""Of all pictures in a page, beyond which browsers are slow to open it: every other one is left out until they fit."""
QUALITY = 72  # of WebP, of 100
_MOST_SIGNALS = 12  # lines that can be told apart


@dataclass(frozen=True)
class About:
    """What a page says of the policy it shows."""

    task: str
    run: str
    checkpoint: str
    limits: Mapping[str, float]  # constraint -> limit on the mean cost of an episode


def replay_page(about: About, films: Sequence[Film]) -> str:
    """The page of `films`, HTML."""
    pictures = [[_webp(picture) for picture in film.pictures] for film in films]
    stride = thinning([len(each) for film in pictures for each in film])
    data = {
        "task": about.task,
        "run": about.run,
        "checkpoint": about.checkpoint,
        "limits": [{"name": name, "limit": limit} for name, limit in about.limits.items()],
        "episodes": [_episode(film, each, stride) for film, each in zip(films, pictures, strict=True)],
    }
    return page("replay.html", data)


def thinning(sizes: Sequence[int]) -> int:
    """Of how many pictures one can be kept, given their `sizes` in bytes: a power of 2."""
    total = sum(sizes) * 4 / 3  # base64
    return 1 if total <= MOST_BYTES else 2 ** math.ceil(math.log2(total / MOST_BYTES))


def _episode(film: Film, pictures: Sequence[bytes], stride: int) -> dict[str, Any]:
    """The data of one episode, of which one of `stride` pictures is kept."""
    return {
        "seconds": film.control_step,
        "returns": rounded(np.cumsum(film.rewards)),
        "costs": [rounded(np.cumsum(costs)) for costs in film.costs.T],
        "components": [{"name": name, "when": intervals(cost > 0)} for name, cost in film.components.items()],
        "costing": intervals(np.any(film.costs > 0, axis=1)),
        "tracks": film.tracks,
        "pictures": [f"data:image/webp;base64,{base64.b64encode(each).decode()}" for each in pictures[::stride]],
        "shown": list(film.shown[::stride]),
        "signals": [line for name, values in film.signals.items() for line in _lines(name, values)],
        "undrawn": film.undrawn,
    }


def _lines(name: str, values: np.ndarray) -> list[dict[str, Any]]:
    """The columns of a signal, `[1 + T, …]`, as lines to draw, of which there are at most so many."""
    columns = values.reshape(len(values), -1).T[:_MOST_SIGNALS]
    return [{"signal": name, "name": f"{name} {index}", "y": rounded(column)} for index, column in enumerate(columns)]


def _webp(picture: np.ndarray) -> bytes:
    """A picture, uint8 `[H, W, 3]`, as a file."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "WEBP", quality=QUALITY)
    return file.getvalue()
