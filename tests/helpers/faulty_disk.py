"""A disk that fills up and a process that is killed at a chosen write, by faulty_disk.c; and a training to do it to."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

TRAINING = """
from cvpo_jax import AlgoConfig, Config, EnvConfig, EvalConfig, TrainConfig


def get_config():
    return Config(
        env=EnvConfig(id="own_compiled:Point", num_envs=4),
        algo=AlgoConfig(
            hidden=(8,), batch_size=16, samples=4, cost_limit=2.0, quantiles=1, layer_norm=False, recent_steps=200_000
        ),
        train=TrainConfig(
            steps={steps}, epoch_steps=64, warmup_steps=64, updates_per_step=1 / 16, replay_size=400, devices=1
        ),
        eval=EvalConfig(episodes=4, every=1),
    )
"""
"""64 steps of warm-up, then epochs of 64, each evaluated and saved."""


def write_training(folder: Path, steps: int) -> Path:
    """An experiment in `folder` that compiles and trains in seconds."""
    path = folder / "short.py"
    path.write_text(TRAINING.format(steps=steps))
    return path


def build_library(folder: Path) -> Path:
    """Compile faulty_disk.c into `folder`; the test is skipped where there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    library = folder / "faulty_disk.so"
    source = Path(__file__).with_suffix(".c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, source, "-ldl"], check=True)
    return library


def faulty(library: Path, folder: Path, **variables: str) -> dict[str, str]:
    """The environment of a process whose writes below `folder` can fail."""
    return os.environ | {"LD_PRELOAD": str(library), "FAULTS_FOLDER": str(folder)} | variables
