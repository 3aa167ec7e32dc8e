"""Memory: what arrays take, what a device has, whether a replay fits, and the peak of this process."""

import os
import re
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from cvpo_jax.config import ConfigError
from envs import VectorEnv


def tree_bytes(tree: Any) -> int:
    """Bytes of the arrays of a tree, or of the shapes that stand for them."""
    return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(tree))


def replay_bytes(env: VectorEnv, steps: int) -> int:
    """What a replay of `steps` environment steps holds: observation, action, reward, costs and two flags, float32."""
    return 4 * steps * (env.observation_size + env.action_size + env.num_constraints + 3)


def device_bytes(chosen: Sequence[jax.Device]) -> int | None:
    """Memory that each of the devices `chosen` may use, on a CPU an equal share of the machine's; None if unknown."""
    if chosen[0].platform == "cpu":
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // len(chosen)
    return (chosen[0].memory_stats() or {}).get("bytes_limit")


def require_room(env: VectorEnv, replay_size: int, chosen: Sequence[jax.Device], share: float) -> None:
    """Raise ConfigError where a replay of `replay_size` steps does not fit, with `share` of it on each device.

    Otherwise it would be noticed late: the pages of an empty replay cost nothing until they are filled.
    """
    room, needed = device_bytes(chosen), share * replay_bytes(env, replay_size)
    if room is None or needed <= room:
        return
    on_host = chosen[0].platform == "cpu"
    where = "memory of this machine" if on_host else f"memory of a {chosen[0].platform} device"
    sharing = len(chosen) if on_host else 1
    raise ConfigError(
        f"--train.replay_size is {replay_size:,}: it takes {sharing * needed / 1e9:.1f} GB of the "
        f"{sharing * room / 1e9:.1f} GB of {where}; lower it to {int(replay_size * 0.8 * room / needed):,} or less"
    )


def peak_host_bytes() -> int:
    """The most memory this process has held so far."""
    # Linux begins what it counts for `getrusage` with the peak of the process that started this one.
    status = Path("/proc/self/status")
    if status.exists() and (found := re.search(r"VmHWM:\s*(\d+) kB", status.read_text())):
        return 1024 * int(found[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak  # kilobytes elsewhere


def peak_device_bytes() -> int | None:
    """The most memory held on the fullest device; None where devices do not tell, as on a CPU, which has the host's."""
    peaks = [(device.memory_stats() or {}).get("peak_bytes_in_use") for device in jax.local_devices()]
    return max((peak for peak in peaks if peak), default=None)


def describe() -> str:
    """Both peaks in one line."""
    device = peak_device_bytes()
    on_device = f", {device / 1e9:.2f} GB on a device" if device else ""
    return f"peak memory: {peak_host_bytes() / 1e9:.2f} GB on the host{on_device}"
