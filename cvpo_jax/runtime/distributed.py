"""Processes that train together: each runs the same program on its own devices (docs/guide/many_machines.md)."""

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from cvpo_jax.config import ConfigError

HEARTBEAT_SECONDS = 30
"""After this long without a sign of life a process counts as lost, and the others end."""
GOODBYE_SECONDS = 45
"""How long a process that has finished, or failed, waits for the others to do so."""
COORDINATOR, NUM_PROCESSES, PROCESS_ID = "JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID"
LOST = 3

Tree = TypeVar("Tree")

_together = threading.Event()


def size() -> int:
    """How many processes train one run together: 1 unless they joined, however many JAX knows of."""
    return jax.process_count() if _together.is_set() else 1


def index() -> int:
    """Which of these processes this is."""
    return jax.process_index() if _together.is_set() else 0


def join() -> None:
    """Meet the other processes. To be called before the first computation.

    Where they are is detected on TPU pods, Slurm and Kubernetes; elsewhere the environment variables above tell.
    Raises ConfigError where neither does, or where the others do not show up.
    """
    found = {name: os.environ.get(name) for name in (NUM_PROCESSES, PROCESS_ID)}
    try:
        count, number = (None if text is None else int(text) for text in found.values())
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        jax.distributed.initialize(
            num_processes=count,
            process_id=number,
            heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
            shutdown_timeout_seconds=GOODBYE_SECONDS,
        )
    except (ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(
            f"--distributed: {reason} Outside TPU pods, Slurm and Kubernetes set {COORDINATOR} (host:port of the first "
            f"process), {NUM_PROCESSES} and {PROCESS_ID}"
        ) from error
    # Connections are made by the first collective, which on CPUs waits no longer than 30 s for them: make them now,
    # before the processes go off to compile, some faster than others.
    everywhere = jax.pmap(lambda x: jax.lax.psum(x, "all"), axis_name="all", devices=jax.devices())
    jax.block_until_ready(everywhere(np.ones(jax.local_device_count())))
    _together.set()
    any_process(False)


@contextmanager
def ending_together() -> Iterator[None]:
    """End this process at once, with a line that says why, where an error ends what the others wait for."""
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if size() == 1:
            raise
        reason = str(error).splitlines()[0][:200]
        os.write(2, f"error: another process is gone ({reason}); start all with --resume\n".encode())
        # An orderly exit would wait for the process that is gone.
        os._exit(LOST)


def is_first() -> bool:
    """Whether this process writes logs and checkpoints."""
    return index() == 0


def any_process(condition: bool) -> bool:
    """Whether the condition holds in any process: what all do together, such as stopping, must be decided together."""
    if size() == 1:
        return condition
    return bool(np.any(multihost_utils.process_allgather(np.asarray(condition))))


def require_same(text: str) -> None:
    """Raise ConfigError unless all processes give the same text: different options would break them apart midway."""
    if size() == 1:
        return
    digest = np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint32)
    digests = multihost_utils.process_allgather(digest)
    if np.any(digests != digests[0]):
        raise ConfigError(
            "the processes that train together were given different options: give all the same, "
            "or each --no-distributed to train by itself"
        )


def gather(tree: Tree) -> Tree:
    """Leaves `[d, ...]` of this process's d devices joined to `[D, ...]` of all, in the order of the processes."""
    return tree if size() == 1 else multihost_utils.process_allgather(tree, tiled=True)


def local_part(tree: Tree) -> Tree:
    """The inverse of `gather`: this process's part of leaves `[D, ...]`."""
    return jax.tree.map(lambda x: x[len(x) // size() * index() :][: len(x) // size()], tree)
