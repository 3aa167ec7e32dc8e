"""Callbacks: what a user wants to be told of a training, or to have done at its evaluations."""

import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cvpo_jax.config import Config, ConfigError
from cvpo_jax.runs.metrics import Row


class Callback:
    """Told what a run comes to, in the first of several processes; methods that are not overridden do nothing.

    One that raises ends the training, which is saved first: the error names the callback, the method and the place.
    """

    def on_start(self, run_dir: Path, config: Config, step: int) -> None:
        """Training begins in `run_dir`, or continues there from `step`."""

    def on_evaluation(self, row: Row) -> None:
        """An evaluation was written to metrics.jsonl: the same names and values, NaN where one is unknown."""

    def on_checkpoint(self, step: int, path: Path) -> None:
        """The checkpoint at `step` was written whole, to the folder `path`."""

    def on_end(self, problem: str) -> None:
        """Training ended; `problem` says why it could not continue, and is empty where it could."""


class Callbacks:
    """The callbacks of one run, told one after the other; all are told, even if one of them raises."""

    def __init__(self, members: Sequence[Callback] = ()) -> None:
        self._members = tuple(members)
        self._started: list[Callback] = []

    def start(self, run_dir: Path, config: Config, step: int) -> None:
        """Tell that training begins; raises ConfigError where a callback cannot begin, after ending the others."""
        for callback in self._members:
            if problem := _told(callback, "on_start", run_dir, config, step):
                self.tell("on_end", problem)
                raise ConfigError(f"{problem}; correct it, or train without it")
            self._started.append(callback)

    def tell(self, method: str, *arguments: Any) -> str:
        """Call `method` of all that were started; returns what the first that raised is to blame for, or nothing."""
        problems = [_told(callback, method, *arguments) for callback in self._started]
        return next(filter(None, problems), "")


def _told(callback: Callback, method: str, *arguments: Any) -> str:
    """Call a method of a callback; returns who raised what and where, empty where nothing was raised."""
    try:
        getattr(callback, method)(*arguments)
    except Exception as error:  # whatever the user's code raises
        frame = traceback.extract_tb(error.__traceback__)[-1]
        said = " ".join(f"{type(error).__name__}: {error}".split())
        return f"the callback {type(callback).__name__} raised in {method} ({frame.filename}:{frame.lineno}): {said}"
    return ""
