"""Environments on the host in worker processes, stepped together and kept alive.

A pool hands each worker a block of environments. It remembers the actions of the current episodes: when a worker dies
or hangs, a new one repeats them, which brings it to where the old one was. Only the environment that it failed in
begins a new episode.

Notation: N environments, A action dimensions.
"""

import logging
import os
import pickle
import time
import weakref
from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np

from envs.host import shared_memory
from envs.host.process import WorkerGoneError, WorkerProcess
from envs.host.protocol import HostEnv, HostSpec, episode_seed
from envs.host.shared_memory import SharedArrays
from envs.host.worker import RESET, RESTORE, STEP, Failure, Start

log = logging.getLogger(__name__)

_MOST_FAILURES = 3
_GRACE_SECONDS = 1.0


class HostError(RuntimeError):
    """Environments keep failing, break their contract or lose their workers; the message says which, and why."""


class Pool(Protocol):
    """N environments on the host that are stepped together, and begin a new episode in the step that ends the old."""

    arrays: SharedArrays
    """The results of the latest reset or step."""

    def reset(self, seeds: np.ndarray, episodes: np.ndarray | int = 0, lengths: np.ndarray | int | None = None) -> None:
        """Begin episode number `episodes` of `seeds` (uint32), cut after `lengths` steps, in every environment.

        All are `[N]`, or one for all; None: the full length.
        """

    def step(self, action: np.ndarray) -> None:
        """Step every environment by its row of `action` `[N, A]` in [-1, 1]."""

    def close(self) -> None:
        """Give back what the environments hold; they cannot be used any more."""


class WorkerPool:
    """`num_envs` environments in `num_workers` processes; None: as many as there are cores to run on.

    `factory()` makes one environment; it is pickled and called in the workers. `name` is for messages. A worker that
    makes no progress for `timeout` seconds is replaced. After each `reset` and `step` the results are in `arrays`.
    Raises HostError, here and in every method, once environments or workers keep failing.
    """

    def __init__(
        self,
        factory: Callable[[], HostEnv],
        spec: HostSpec,
        num_envs: int,
        *,
        num_workers: int | None = None,
        timeout: float = 10.0,  # three resets with their skybox: a slow one must not count as hung
        name: str = "host",
    ) -> None:
        self.spec, self.num_envs = spec, num_envs
        self._timeout, self._name = timeout, name
        descriptor = shared_memory.create(spec, num_envs)
        self.arrays = shared_memory.attach(descriptor, spec, num_envs)
        self._played = np.zeros((spec.episode_length, num_envs, spec.action_size), np.float32)
        self._steps = 0
        self._failures = np.zeros(num_envs, np.int64)  # since the last episode that ended properly
        self.workers: list[WorkerProcess] = []
        self._finalizer = weakref.finalize(self, _shut, self.workers, descriptor)
        count = min(num_envs, num_workers or len(os.sched_getaffinity(0)))
        for block in np.array_split(np.arange(num_envs), count):
            rows = range(int(block[0]), int(block[-1]) + 1)
            self.workers.append(self._launch(Start(pickle.dumps(factory), spec, num_envs, rows, descriptor)))
        for index in range(count):
            self._check_made(self.workers[index].answer())

    def reset(self, seeds: np.ndarray, episodes: np.ndarray | int = 0, lengths: np.ndarray | int | None = None) -> None:
        """Begin episode number `episodes` of `seeds` (uint32), cut after `lengths` steps, in every environment.

        All are `[N]`, or one for all; None: the full length.
        """
        self.arrays.seed[:] = seeds
        self.arrays.episode[:] = episodes
        self.arrays.elapsed[:] = 0
        self.arrays.length[:] = self.spec.episode_length if lengths is None else lengths
        self._failures[:] = 0
        self._everywhere(RESET, self._reset_again)
        self.arrays.stepped[:] = self._steps = 0

    def step(self, action: np.ndarray) -> None:
        """Step every environment by its row of `action` `[N, A]` in [-1, 1]."""
        self.arrays.action[:] = action
        self._played[self._steps % len(self._played)] = action
        self._steps += 1
        failed = self._everywhere(STEP, self._catch_up)
        ended = self.arrays.terminated | self.arrays.truncated
        ended[failed] = False
        self._failures[ended] = 0

    def close(self) -> None:
        """End the worker processes."""
        self._finalizer()

    def _everywhere(self, command: str, catch_up: Callable[[int, str], list[int]]) -> list[int]:
        """Have all workers carry out `command`; those replaced `catch_up`. Returns the rows that failed."""
        self._check_open()
        failed = []
        try:
            for worker in self.workers:
                worker.ask((command, worker.start.rows))
            for index in range(len(self.workers)):
                try:
                    failed += self._answer(index)
                except WorkerGoneError as reason:
                    failed += self._recover(index, reason, catch_up)
        except BaseException:
            self.close()  # answers may be under way: nothing here can be used again
            raise
        return failed

    def _check_made(self, failures: list[Failure]) -> None:
        """Raise HostError with what a worker that could not make its environments said."""
        if failures:
            self.close()
            raise HostError(f"{self._name}: {failures[0].contract}")

    def _check_open(self) -> None:
        if not self._finalizer.alive:
            raise HostError(f"{self._name}: these environments were closed; make new ones")

    def _answer(self, index: int) -> list[int]:
        """Wait for a worker, and return the rows whose environments raised."""
        failures = self.workers[index].answer(self._timeout)
        for failure in failures:
            if failure.contract:
                raise HostError(failure.contract)
            self._count(failure.row, f"raised\n{failure.traceback}", failure)
        return [failure.row for failure in failures]

    def _count(self, row: int, what: str, failure: Failure | None = None) -> None:
        """Log that an environment failed, and give up on one that never ends an episode properly."""
        episode = failure.episode if failure else int(self.arrays.episode[row])
        step = failure.step if failure else int(self.arrays.elapsed[row])
        seed = episode_seed(int(self.arrays.seed[row]), episode)
        where = f"{self._name}: environment {row} (episode {episode}, reset seed {seed}, step {step})"
        self._failures[row] += 1
        if self._failures[row] > _MOST_FAILURES:
            raise HostError(f"{where} keeps failing: it {what}")
        log.warning("%s %s\nIt begins a new episode; the others continue.", where, what)

    def _recover(self, index: int, reason: WorkerGoneError, catch_up: Callable[[int, str], list[int]]) -> list[int]:
        """Replace a worker that is gone, and return the rows that lost their episode."""
        how = str(reason)
        for _ in range(_MOST_FAILURES):
            self._check_open()  # another thread may have closed the pool, on Ctrl-C
            log.warning("%s: %s; starting another", self._name, reason)
            try:
                self.workers[index].end()
                self.workers[index] = self._launch(self.workers[index].start)
                self._check_made(self.workers[index].answer())
                return catch_up(index, how)
            except WorkerGoneError as error:
                reason = error
        raise HostError(f"{self._name}: {reason}; {_MOST_FAILURES} replacements failed too")

    def _reset_again(self, index: int, _: str) -> list[int]:
        return self._ask(index, RESET, self.workers[index].start.rows)

    def _catch_up(self, index: int, how: str) -> list[int]:
        """Bring a new worker to where the old one was, which failed as `how` says, and finish the step in progress."""
        arrays, rows = self.arrays, np.array(self.workers[index].start.rows)
        culprits = rows[arrays.busy[rows] & (arrays.stepped[rows] < self._steps)]
        arrays.busy[rows] = False
        for row in culprits:
            self._count(row, f"was being stepped when {how}")
            arrays.reward[row] = arrays.cost[row] = arrays.components[row] = 0.0
            arrays.terminated[row], arrays.truncated[row] = False, True
            arrays.next_episode(row, self.spec.episode_length)
            arrays.stepped[row] = self._steps
        self._ask(index, RESTORE, {int(row): self._episode(row) for row in set(rows) - set(culprits)})
        lost = self._ask(index, RESET, culprits.tolist())
        pending = rows[arrays.stepped[rows] < self._steps]
        return [*culprits.tolist(), *lost, *self._ask(index, STEP, pending.tolist())]

    def _ask(self, index: int, command: str, rows: Iterable[int] | dict[int, np.ndarray]) -> list[int]:
        self.workers[index].ask((command, rows))
        return self._answer(index)

    def _episode(self, row: int) -> np.ndarray:
        """The actions `[elapsed, A]` so far of the current episode of environment `row`."""
        now, elapsed = int(self.arrays.stepped[row]), int(self.arrays.elapsed[row])
        return self._played[np.arange(now - elapsed, now) % len(self._played), row]

    def _launch(self, start: Start) -> WorkerProcess:
        beat = self.arrays.beat[start.rows.start : start.rows.stop]
        return WorkerProcess(start, lambda: int(beat.sum()))


def _shut(workers: list[WorkerProcess], descriptor: int) -> None:
    """End all workers together, so that they share the grace period."""
    deadline = time.monotonic() + _GRACE_SECONDS
    for worker in workers:
        worker.hang_up()
    for worker in workers:
        worker.end(max(0.0, deadline - time.monotonic()))
    os.close(descriptor)
