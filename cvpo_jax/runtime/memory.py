"""Memory: whether a replay fits, and the peak of this process, on the host and on its devices."""

import os
import resource
import sys
from collections.abc import Sequence

import jax

from cvpo_jax.config import ConfigError
from envs.base import VectorEnv


def replay_bytes(env: VectorEnv, steps: int) -> int:
    """What a replay of `steps` environment steps holds: observation, action, reward, costs and two flags, float32."""
    return 4 * steps * (env.observation_size + env.action_size + env.num_constraints + 3)


def require_room(env: VectorEnv, replay_size: int, chosen: Sequence[jax.Device], share: float) -> None:
    """Raise ConfigError where a replay of `replay_size` steps does not fit, with `share` of it on each device.

    It would be noticed late otherwise: the pages of an empty replay cost nothing until they are filled.
    """
    needed = share * replay_bytes(env, replay_size)
    on_host = chosen[0].platform == "cpu"
    room = device_bytes(chosen[0])
    needed *= len(chosen) if on_host else 1
    if room and needed > room:
        where = "memory of this machine" if on_host else f"memory of a {chosen[0].platform} device"
        raise ConfigError(
            f"--train.replay_size is {replay_size:,}: it takes {needed / 1e9:.1f} GB of the {room / 1e9:.1f} GB of "
            f"{where}; lower it to {int(replay_size * 0.8 * room / needed):,} or less"
        )


def device_bytes(device: jax.Device) -> int | None:
    """All memory that `device` may use, a CPU that of the machine; None where it does not tell."""
    if device.platform == "cpu":
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return (device.memory_stats() or {}).get("bytes_limit")


def peak_host_bytes() -> int:
    """Most memory this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak  # kilobytes elsewhere


def peak_device_bytes() -> int | None:
    """Most memory held on the fullest device; None where devices do not tell, as on a CPU, which shares the host's."""
    peaks = [(device.memory_stats() or {}).get("peak_bytes_in_use") for device in jax.local_devices()]
    return max((peak for peak in peaks if peak), default=None)


def describe() -> str:
    """Both in one line."""
    device = peak_device_bytes()
    on_device = f", {device / 1e9:.2f} GB on a device" if device else ""
    return f"peak memory: {peak_host_bytes() / 1e9:.2f} GB on the host{on_device}"
