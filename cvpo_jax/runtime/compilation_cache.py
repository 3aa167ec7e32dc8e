"""The persistent compilation cache: a second run of the same program starts in seconds."""

import os
from pathlib import Path

import jax


def enable_cache() -> None:
    """Keep compiled programs in the user's cache folder, or in the one that JAX_COMPILATION_CACHE_DIR names.

    Where neither can be written to, every process compiles for itself.
    """
    folder = _folder()
    jax.config.update("jax_enable_compilation_cache", folder is not None)
    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def _folder() -> str | None:
    """A folder that can be written to, made if it is missing; None where there is none."""
    try:
        named = os.environ.get("JAX_COMPILATION_CACHE_DIR", "")
        if "://" in named:  # a bucket
            return named
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        folder = Path(named or Path(base, "cvpo_jax", "jax")).expanduser()
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder) if os.access(folder, os.W_OK) else None
    except (OSError, RuntimeError):  # no such place, or no home
        return None
