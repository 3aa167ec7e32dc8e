"""The persistent compilation cache: a second run of the same program starts in seconds."""

import os
from pathlib import Path

import jax


def enable_cache() -> None:
    """Keep compiled programs in the user's cache folder, or in the one that JAX_COMPILATION_CACHE_DIR names."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = os.environ.get("JAX_COMPILATION_CACHE_DIR") or str(base / "cvpo_jax" / "jax")
    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
