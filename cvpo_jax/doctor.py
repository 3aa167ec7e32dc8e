"""Tell what works here and what does not: `python -m cvpo_jax.doctor`.

A line for each thing that was looked at: `ok`, `note` for what is missing but not always needed, or `FAIL`, both with
the remedy. Where something fails, the exit status is 2.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cvpo_jax import __version__, cli
from cvpo_jax.config import ConfigError

REQUIRED = ("jax", "jaxlib", "flax", "brax", "mujoco", "orbax-checkpoint")
OPTIONAL = {
    "gymnasium": "environments of Gymnasium",
    "safety-gymnasium": "the original tasks, --env.backend gymnasium",
    "playground": "environments of MuJoCo Playground",
    "onnx": "export --format onnx",
    "flatbuffers": "export --format stablehlo",
    "wandb": "run --log wandb",
    "mlflow": "run --log mlflow",
    "optuna": "search",
    "ray": "ray_tune",
    "tensorboard": "tensorboard --logdir runs",
}
"""Packages and what they are needed for."""
FEWEST_GIB = 2
"""Free disk below which a training may not keep its checkpoints."""


@dataclass(frozen=True)
class DoctorOptions:
    """Tell what is installed here, which devices there are, and what would fail."""


@dataclass(frozen=True)
class Finding:
    """What was found of one thing."""

    status: Literal["ok", "note", "FAIL"]
    text: str


def packages() -> Iterator[Finding]:
    """Versions of what is needed, and what the extras add."""
    yield Finding("ok", f"cvpo_jax {__version__} on Python {platform.python_version()}, {platform.machine()}")
    for name in REQUIRED:
        found = _version(name)
        yield Finding("ok", f"{name} {found}") if found else Finding("FAIL", f"{name} is not installed: make install")
    for name, purpose in OPTIONAL.items():
        found = _version(name)
        text = (
            f"{name} {found}: {purpose}"
            if found
            else f"{name} is not installed, needed for {purpose}: pip install {name}"
        )
        yield Finding("ok" if found else "note", text)


def devices() -> Iterator[Finding]:
    """What JAX computes on."""
    yield Finding("ok", f"{os.cpu_count()} CPU cores")
    try:
        import jax

        found = jax.devices()
    except Exception as error:  # of many kinds, from drivers
        reason = " ".join(str(error).split())[:200]
        yield Finding("FAIL", f"JAX finds no device ({reason}): JAX_PLATFORMS=cpu computes on the CPU")
        return
    yield Finding("ok", f"JAX computes on {len(found)} {found[0].platform} device(s): {found[0].device_kind}")
    if found[0].platform == "cpu" and shutil.which("nvidia-smi"):
        yield Finding(
            "note", "there is an NVIDIA GPU, but JAX does not use it: make gpu, and leave JAX_PLATFORMS unset"
        )


def folders() -> Iterator[Finding]:
    """Where programs and runs are kept."""
    import jax

    from cvpo_jax.runtime import compilation_cache

    compilation_cache.enable_cache()
    cache = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    kept = Finding("ok", f"compiled programs are kept in {cache}")
    lost = "compiled programs cannot be kept, each run compiles again: name a folder by JAX_COMPILATION_CACHE_DIR"
    yield kept if cache else Finding("note", lost)
    here = Path("runs") if Path("runs").is_dir() else Path()
    if not os.access(here, os.W_OK):
        yield Finding("FAIL", f"{here.absolute()} cannot be written to: start from another folder, or give --run_dir")
    free = shutil.disk_usage(here).free / 2**30
    text = f"{free:.1f} GiB are free for runs in {here.absolute()}"
    yield Finding("ok", text) if free >= FEWEST_GIB else Finding("FAIL", f"{text}: make room, or give --run_dir")


def drawing() -> Iterator[Finding]:
    """What pictures can be made with."""
    from envs.host.protocol import choose_renderer

    if choose_renderer():
        yield Finding("ok", f"MuJoCo draws by {os.environ.get('MUJOCO_GL') or 'the display'}")
    else:
        yield Finding(
            "note", "no GL library, needed to render MuJoCo's bodies: apt-get install libegl1 libgl1-mesa-dri"
        )
    ffmpeg = shutil.which("ffmpeg") or _version("imageio-ffmpeg")
    yield (
        Finding("ok", "ffmpeg: films as .mp4")
        if ffmpeg
        else Finding(
            "note", "no ffmpeg, needed for films as .mp4: apt-get install ffmpeg, or pip install imageio-ffmpeg"
        )
    )


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def command(arguments: Sequence[str]) -> None:
    """Print what was found; raises ConfigError where something failed."""
    cli.read_options(DoctorOptions, "doctor", arguments)
    failed = 0
    for look in (packages, drawing, devices, folders):
        for finding in look():
            print(f"{finding.status:<5} {finding.text}")
            failed += finding.status == "FAIL"
    if failed:
        raise ConfigError(f"{failed} of the lines above begin with FAIL: do what they say")


if __name__ == "__main__":
    cli.leave(cli.main(command))
