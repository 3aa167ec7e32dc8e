"""Settings every test shares; they must stand before JAX is first imported.

Tests run on the CPU with four forced devices, so that what `pmap` does is seen on any machine. XLA gets one thread
an operation: pytest-xdist already fills the cores.

Nearly all of the suite's time is compiling, so that programs are compiled with little optimization, but for the tests
marked `optimized`: tests/README.md.

JAX keeps every program it compiled for as long as the process lives, some 80 MiB for a training. They are dropped
whenever a worker has grown by `KEPT_BYTES` since the last time, so that the whole suite needs a few gigabytes.
"""

import ctypes
import gc
import os
import resource
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from envs.host.protocol import choose_renderer

FORCED_DEVICES = 4
GPU_TESTS_WANTED = "CVPO_JAX_TEST_PLATFORM"
KEPT_BYTES = 3 * 2**30
HELD = pytest.StashKey[int]()

os.environ["JAX_PLATFORMS"] = os.environ.get(GPU_TESTS_WANTED, "cpu")
os.environ.setdefault(
    "XLA_FLAGS",
    f"--xla_force_host_platform_device_count={FORCED_DEVICES} --xla_cpu_multi_thread_eigen=false"
    " --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1",
)
if os.environ["JAX_PLATFORMS"] == "cpu":
    os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache / "cvpo_jax" / "jax"))
# Processes that tests start find the helpers, too.
os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent / "helpers"), os.environ.get("PYTHONPATH", "")])
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5")

# Tracing makes millions of objects that live on: looking for garbage after every 700 takes a twentieth of the time.
gc.set_threshold(50_000)

choose_renderer()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Compile with all optimizations what a test marked `optimized` and its fixtures compile in this process."""
    import jax

    usual = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", usual and item.get_closest_marker("optimized") is None)
    try:
        return (yield)
    finally:
        jax.config.update("jax_disable_most_optimizations", usual)
        drop_programs(item.config.stash)


def drop_programs(stash: pytest.Stash) -> None:
    """Forget what JAX compiled once this process holds `KEPT_BYTES` more than after the last time; only on Linux."""
    import jax

    if not sys.platform.startswith("linux") or resident_bytes() - stash.setdefault(HELD, resident_bytes()) < KEPT_BYTES:
        return
    jax.clear_caches()
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    stash[HELD] = resident_bytes()


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of recorded fixtures."""
    return Path(__file__).parent / "data"


TINY = """
from cvpo_jax import AlgoConfig, Config, EnvConfig, EvalConfig, TrainConfig


def get_config():
    return Config(
        env=EnvConfig(id="SafetyPointCircle1-v0", num_envs=16, episode_length=50),
        algo=AlgoConfig(hidden=(16, 16), batch_size=32, samples=8, cost_limit=5.0),
        train=TrainConfig(
            seed=3, steps=2000, epoch_steps=512, warmup_steps=200, updates_per_step=1 / 16, replay_size=2000, devices=1
        ),
        eval=EvalConfig(episodes=8, every=1),
    )
"""


@pytest.fixture(scope="session")
def tiny_experiment(tmp_path_factory) -> Iterator[Path]:
    """Return an experiment that compiles and trains in seconds: 208 steps of warm-up, then epochs of 512.

    Trainings of equal configuration in this process share a trainer, since tracing one takes longer than such a run.
    """
    from cvpo_jax.training import train, trainer

    path = tmp_path_factory.mktemp("experiments") / "tiny.py"
    path.write_text(TINY)
    made: dict = {}

    def build(config):
        key = replace(config, run_dir=None).to_json(), trainer.make_env
        if key not in made:
            made[key] = trainer.build(config)
        return replace(made[key], config=config.validate().complete())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "build", build)
        yield path


@pytest.fixture(scope="session")
def tiny_run(tiny_experiment, tmp_path_factory) -> Path:
    """Return the directory of a finished run of four epochs, each evaluated; copy it to change it."""
    from cvpo_jax import cli, run

    run_dir = tmp_path_factory.mktemp("runs") / "tiny"
    assert cli.main(run.command, [str(tiny_experiment), "--run_dir", str(run_dir)]) == 0
    return run_dir
