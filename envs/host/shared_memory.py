"""Arrays shared between the process that trains and the workers that step environments.

The memory is an unlinked temporary file, inherited by descriptor: it vanishes with the last process that maps it,
however that process ends.

Notation: N environments, O observation size, A action dimensions, P cost components.
"""

import mmap
import os
import tempfile
from dataclasses import dataclass

import numpy as np

from envs.host.protocol import HostSpec


@dataclass(frozen=True)
class SharedArrays:
    """Views of the shared memory. Except for action and seed, only its worker writes an environment's rows.

    The pool reads them, and repairs them, once that worker has answered or is gone.
    """

    action: np.ndarray  # [N, A] float32
    seed: np.ndarray  # [N] uint32
    episode: np.ndarray  # [N] int64, episodes it has ended
    elapsed: np.ndarray  # [N] int64, steps into its episode
    length: np.ndarray  # [N] int64, steps after which its episode is cut at the latest
    observation: np.ndarray  # [N, O] float32
    reward: np.ndarray  # [N] float32
    cost: np.ndarray  # [N] float32
    components: np.ndarray  # [N, P] float32
    terminated: np.ndarray  # [N] bool
    truncated: np.ndarray  # [N] bool
    stepped: np.ndarray  # [N] int64, steps since the user's reset
    busy: np.ndarray  # [N] bool, being stepped or reset right now
    beat: np.ndarray  # [N] int64, grows while the worker works on it

    def next_episode(self, rows: int | np.ndarray, length: int) -> None:
        """Number the episodes that begin in `rows`, of `length` steps at most."""
        self.episode[rows] += 1
        self.elapsed[rows] = 0
        self.length[rows] = length


def layout(spec: HostSpec, num_envs: int) -> dict[str, tuple[tuple[int, ...], str]]:
    """The shape and dtype of every array, by its name."""
    n = num_envs
    return {
        "action": ((n, spec.action_size), "float32"),
        "seed": ((n,), "uint32"),
        "episode": ((n,), "int64"),
        "elapsed": ((n,), "int64"),
        "length": ((n,), "int64"),
        "observation": ((n, spec.observation_size), "float32"),
        "reward": ((n,), "float32"),
        "cost": ((n,), "float32"),
        "components": ((n, len(spec.component_names)), "float32"),
        "terminated": ((n,), "bool"),
        "truncated": ((n,), "bool"),
        "stepped": ((n,), "int64"),
        "busy": ((n,), "bool"),
        "beat": ((n,), "int64"),
    }


def allocate(spec: HostSpec, num_envs: int) -> SharedArrays:
    """The same arrays in the memory of this process alone, all zero."""
    return SharedArrays(**{name: np.zeros(shape, dtype) for name, (shape, dtype) in layout(spec, num_envs).items()})


def create(spec: HostSpec, num_envs: int) -> int:
    """Create shared memory for `num_envs` environments, all zero, and return its file descriptor."""
    folder = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryFile(dir=folder) as file:
        file.truncate(max(1, _size(spec, num_envs)))
        return os.dup(file.fileno())


def attach(descriptor: int, spec: HostSpec, num_envs: int) -> SharedArrays:
    """The arrays behind a file descriptor that `create` made in this process or its parent."""
    memory = mmap.mmap(descriptor, max(1, _size(spec, num_envs)))
    views, offset = {}, 0
    for name, (shape, dtype) in layout(spec, num_envs).items():
        views[name] = np.ndarray(shape, dtype, memory, offset)
        offset += _padded(views[name].nbytes)
    return SharedArrays(**views)


def _size(spec: HostSpec, num_envs: int) -> int:
    arrays = layout(spec, num_envs).values()
    return sum(_padded(int(np.prod(shape)) * np.dtype(dtype).itemsize) for shape, dtype in arrays)


def _padded(size: int) -> int:
    """`size` (bytes) rounded up to cache lines, so that workers do not slow each other down."""
    return -(-size // 64) * 64
