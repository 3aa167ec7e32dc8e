"""Peak memory of this process, on the host and on its devices."""

import resource
import sys

import jax


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
