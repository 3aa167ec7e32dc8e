"""The package as a whole: workers get by without JAX, everyone else finds the names and Brax the ids."""

import subprocess
import sys

import pytest

import envs

JAX_FREE = (
    "envs",
    "envs.host.worker",
    "envs.host.pool",
    "envs.host.process",
    "envs.safety_gymnasium.env",
    "envs.adapters.gymnasium_env",
)


def output(code: str) -> str:
    """What `code` prints, in a process of its own."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_workers_do_without_jax_and_brax() -> None:
    imports = [f"import {name}" for name in JAX_FREE] + ["from envs import HostError, RenderingError, with_cost"]
    heavy = "print([name for name in ('jax', 'brax', 'mujoco') if name in sys.modules])"
    assert output("\n".join(["import sys", *imports, heavy])) == "[]\n"


@pytest.mark.parametrize("name", envs.__all__)
def test_every_exported_name_is_there(name: str) -> None:
    assert name in dir(envs) and getattr(envs, name).__name__ == name


def test_a_name_that_is_not_exported_is_refused() -> None:
    with pytest.raises(AttributeError, match="maek"):
        _ = envs.maek


def test_the_first_use_registers_the_ids_with_brax_and_prints_nothing() -> None:
    code = """
    from envs import SafeEnv
    import brax.envs
    assert isinstance(brax.envs.get_environment("SafetyPointCircle1-v0"), SafeEnv)
    """
    assert output("\n".join(line.strip() for line in code.splitlines())) == ""
