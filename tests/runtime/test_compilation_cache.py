"""Where compiled programs are kept; in processes of their own, since the setting is global."""

import os
import subprocess
import sys

import pytest

from cvpo_jax.runtime import compilation_cache

CODE = """
import jax, jax.numpy as jnp
from cvpo_jax.runtime import compilation_cache
compilation_cache.enable_cache()
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.jit(lambda x: x + 1)(jnp.ones(3))
"""


@pytest.mark.parametrize(("name", "inside"), [("XDG_CACHE_HOME", "cvpo_jax/jax"), ("JAX_COMPILATION_CACHE_DIR", "")])
def test_programs_are_kept_where_the_environment_says(name, inside, tmp_path):
    names = ("XDG_CACHE_HOME", "JAX_COMPILATION_CACHE_DIR")
    environment = {key: value for key, value in os.environ.items() if key not in names} | {name: str(tmp_path)}
    subprocess.run([sys.executable, "-c", CODE], env=environment, check=True, timeout=300)
    assert any((tmp_path / inside).iterdir())


@pytest.mark.parametrize(
    "environment",
    [{"JAX_COMPILATION_CACHE_DIR": "/proc/nowhere"}, {"HOME": "/proc/nowhere"}, {"HOME": "/proc"}],
    ids=["the folder", "the home", "a home without"],
)
def test_where_nothing_can_be_kept_programs_run_all_the_same(environment):
    names = ("XDG_CACHE_HOME", "JAX_COMPILATION_CACHE_DIR")
    rest = {key: value for key, value in os.environ.items() if key not in names}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CODE], env=rest | environment, capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_without_a_home_there_is_no_cache(monkeypatch):
    def homeless(*_):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(compilation_cache.Path, "expanduser", homeless)
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    assert compilation_cache._folder() is None
