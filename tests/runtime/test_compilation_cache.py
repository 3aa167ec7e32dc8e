"""Where compiled programs are kept; in processes of their own, since the setting is global."""

import os
import subprocess
import sys

import pytest

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
