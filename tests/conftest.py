"""Settings every test shares; they must stand before JAX is first imported.

Tests run on the CPU with four forced devices, so that what `pmap` does is seen on any machine. XLA gets one thread
an operation: pytest-xdist already fills the cores.
"""

import os
from pathlib import Path

import pytest

FORCED_DEVICES = 4
GPU_TESTS_WANTED = "CVPO_JAX_TEST_PLATFORM"

os.environ["JAX_PLATFORMS"] = os.environ.get(GPU_TESTS_WANTED, "cpu")
os.environ.setdefault(
    "XLA_FLAGS", f"--xla_force_host_platform_device_count={FORCED_DEVICES} --xla_cpu_multi_thread_eigen=false"
)
cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache / "cvpo_jax" / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of recorded fixtures."""
    return Path(__file__).parent / "data"
