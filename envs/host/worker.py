"""A worker process: steps some of the environments of a pool when told to, and starts new episodes where old ones end.

It runs without JAX. An environment that raises is reported and made again; the others never notice. The worker exits
when its pool does, even if that was killed: the connection closes, and a thread watches for a change of parent.

Notation: A action dimensions.
"""

import os
import pickle
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection
from typing import NamedTuple

import numpy as np

from envs.host import shared_memory
from envs.host.protocol import ContractError, HostEnv, HostSpec, episode_seed

RESET, STEP, RESTORE = "reset", "step", "restore"
_RESET_TRIES = 10
_BEAT_EVERY = 20


class Start(NamedTuple):
    """The first message to a worker."""

    factory: bytes  # pickled: () -> HostEnv
    spec: HostSpec
    num_envs: int  # of the whole pool
    rows: range  # this worker's own
    descriptor: int  # of the shared memory


class Failure(NamedTuple):
    """The report of an environment that raised."""

    row: int
    episode: int
    step: int
    traceback: str
    contract: str = ""  # the message of a ContractError


class Worker:
    """The environments of `start.rows`, each with its row of the shared arrays."""

    def __init__(self, start: Start) -> None:
        self.factory: Callable[[], HostEnv] = pickle.loads(start.factory)
        self.arrays = shared_memory.attach(start.descriptor, start.spec, start.num_envs)
        self.envs = {row: self.factory() for row in start.rows}
        self.episode_length = start.spec.episode_length
        self.failures: list[Failure] = []

    def reset(self, rows: Iterable[int]) -> None:
        """Begin the episode that `seed` and `episode` name in each of these environments."""
        for row in rows:
            self._guarded(row, self._begin)

    def step(self, rows: Iterable[int]) -> None:
        """Step each of these environments once, by its action."""
        for row in rows:
            self._guarded(row, self._advance, steps=1)

    def restore(self, episodes: dict[int, np.ndarray]) -> None:
        """Bring environments back to where they were by repeating the actions `[elapsed, A]` of their episodes."""
        for row, actions in episodes.items():
            self.envs[row].reset(self._seed(row))
            for count, action in enumerate(actions):
                self.envs[row].step(action)
                self.arrays.beat[row] += count % _BEAT_EVERY == 0

    def _guarded(self, row: int, work: Callable[[int], None], steps: int = 0) -> None:
        self.arrays.busy[row] = True
        try:
            work(row)
        except ContractError as error:
            self._report(row, str(error))
        except Exception:
            self._renew(row)
        self.arrays.beat[row] += 1
        self.arrays.stepped[row] += steps
        self.arrays.busy[row] = False

    def _advance(self, row: int) -> None:
        arrays = self.arrays
        step = self.envs[row].step(arrays.action[row])
        arrays.reward[row], arrays.cost[row], arrays.components[row] = step.reward, step.cost, step.components
        arrays.terminated[row] = step.terminated
        cut = step.truncated or arrays.elapsed[row] + 1 >= arrays.length[row]
        arrays.truncated[row] = cut and not step.terminated
        if step.terminated or cut:
            arrays.next_episode(row, self.episode_length)
            self._begin(row)
        else:
            arrays.observation[row] = step.observation
            arrays.elapsed[row] += 1

    def _begin(self, row: int) -> None:
        self.arrays.observation[row] = self.envs[row].reset(self._seed(row))
        self.arrays.elapsed[row] = 0

    def _seed(self, row: int) -> int:
        return episode_seed(int(self.arrays.seed[row]), int(self.arrays.episode[row]))

    def _renew(self, row: int) -> None:
        """Report what an environment raised, make it again and begin its next episode: this one counts as truncated."""
        arrays = self.arrays
        for _ in range(_RESET_TRIES):
            self._report(row)
            arrays.reward[row] = arrays.cost[row] = arrays.components[row] = 0.0
            arrays.terminated[row], arrays.truncated[row] = False, True
            arrays.next_episode(row, self.episode_length)
            try:
                self.envs[row] = self.factory()
                self._begin(row)
            except Exception:
                continue
            return
        raise RuntimeError(f"environment {row} failed {_RESET_TRIES} resets in a row")

    def _report(self, row: int, contract: str = "") -> None:
        """Note the exception that is being handled."""
        episode, step = int(self.arrays.episode[row]), int(self.arrays.elapsed[row])
        self.failures.append(Failure(row, episode, step, traceback.format_exc(), contract))


def serve(connection: Connection) -> None:
    """Serve the pool at the other end of `connection` until it is closed."""
    os.dup2(2, 1)  # what environments print must not mix with the output of the program
    threading.Thread(target=_leave_with_parent, args=(os.getppid(),), daemon=True).start()
    try:
        start = connection.recv()
        try:
            worker = Worker(start)
        except Exception as error:
            # Where one environment was made before, another need not be possible: licenses, devices and ports run out.
            what = f"environments cannot be made in a worker process: {type(error).__name__}: {error}"
            connection.send([Failure(start.rows[0], 0, 0, traceback.format_exc(), " ".join(what.split()))])
            return
        connection.send([])
        while True:
            command, *arguments = connection.recv()
            getattr(worker, command)(*arguments)
            connection.send(worker.failures)
            worker.failures = []
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _leave_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)
