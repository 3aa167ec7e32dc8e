"""Measure an experiment's speed: `python -m cvpo_jax.bench EXPERIMENT [--json] [--section.option value …]`.

Environment alone, collection with the policy, updates and their parts, evaluation, the whole training loop; each the
median of several windows, compilation apart. With `--env.backend gymnasium` the worker processes are also compared with
Safety-Gymnasium's own. `--to_safe RETURN` measures what a user waits for: a policy as good as that within its limit.
"""

import json
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cvpo_jax import cli
from cvpo_jax.config import Config
from cvpo_jax.config.errors import require


@dataclass(frozen=True)
class BenchOptions:
    """Measure an experiment's speed."""

    windows: int = 5
    """Windows of each measurement; their median counts."""
    seconds: float = 1.0
    """Seconds that a window lasts at least."""
    environment: bool = False
    """Only the environments, under random actions, and what resets add."""
    devices: str | None = None
    """As 1,2,4: how it scales over devices instead, each with the environments and batch that the experiment has."""
    to_safe: float | None = None
    """A return: how long a training takes, from its start, until it reaches that within its limit and stays there."""
    seeds: int = 3
    """Trainings of `to_safe`; their median counts."""
    cold: bool = False
    """Begin each training of `to_safe` with an empty cache of compiled programs."""
    json: bool = False
    """Print one JSON object."""


def command(arguments: Sequence[str]) -> None:
    """Measure and print."""
    invocation = cli.read_invocation(BenchOptions, "bench", arguments)
    options = invocation.options
    require(1 <= options.windows <= 1000, f"--windows is {options.windows}: 1 to 1000 can be measured")
    require(0 < options.seconds <= 3600, f"--seconds is {options.seconds}: a window lasts up to 3600")
    require(1 <= options.seeds <= 1000, f"--seeds is {options.seeds}: 1 to 1000 can be trained")
    config = invocation.config()
    if options.to_safe is not None:
        _print_waits(invocation, options.to_safe)
        return
    from cvpo_jax.training.own_env import with_backend

    config = with_backend(config)
    if options.devices is not None:
        _print_scaling(config, options, options.devices)
    else:
        _print_speed(config, options)


def _print_waits(invocation: cli.Invocation[BenchOptions], least_return: float) -> None:
    """Train until the policies are good and safe, and print how long that takes; a seed at a time on the way."""
    from cvpo_jax.profiling import to_safe

    options = invocation.options
    experiment = () if invocation.experiment is None else (str(invocation.experiment),)
    waits = []
    for wait in to_safe.measure_waits((*experiment, *invocation.overrides), least_return, options.seeds, options.cold):
        waits.append(wait)
        print(f"{len(waits)} of {options.seeds} seeds done", file=sys.stderr)
    print(json.dumps(to_safe.report(waits, least_return)) if options.json else to_safe.table(waits, least_return))


def _print_scaling(config: Config, options: BenchOptions, counts: str) -> None:
    """Measure over numbers of devices, and print."""
    from cvpo_jax.profiling import scaling
    from cvpo_jax.profiling.timing import Window

    scales = scaling.scale(config, scaling.read_counts(counts), Window(options.windows, options.seconds))
    print(json.dumps([one.summary(scales[0]) for one in scales]) if options.json else scaling.table(scales))


def _print_speed(config: Config, options: BenchOptions) -> None:
    """Measure all pieces of an experiment or its environments alone, and print."""
    import jax

    from cvpo_jax.profiling import host_envs, timing, update_parts
    from cvpo_jax.runtime import memory
    from envs import host_scope

    # What compiling costs is measured too: a cache of compiled programs would hide it.
    jax.config.update("jax_enable_compilation_cache", False)
    window, flops, resets = timing.Window(options.windows, options.seconds), math.nan, None
    with host_scope():
        if options.environment:
            result, resets = update_parts.measure_environment(config, window)
            results = [result]
        else:
            results, flops = update_parts.measure_experiment(config, window)
    is_original = config.env.backend == "gymnasium" and not config.env.is_own
    genuine = _compare_genuine(config, options.windows) if is_original else None
    if options.json:
        report: dict[str, Any] = {
            "flops_per_update": flops if math.isfinite(flops) else None,
            "peak_host_bytes": memory.peak_host_bytes(),
            "peak_device_bytes": memory.peak_device_bytes(),
            "measurements": [result.summary() for result in results],
        }
        report |= {"resets": resets.summary()} if resets else {}
        print(json.dumps(report | ({"genuine": genuine} if genuine else {})))
        return
    print(timing.table(results))
    if math.isfinite(flops):
        print(f"{flops:,.0f} floating point operations an update on one device, the dual's loops counted once")
    print(memory.describe())
    if resets:
        print(resets.describe())
    if genuine:
        print(host_envs.table(genuine))


def _compare_genuine(config: Config, windows: int) -> dict[str, Any]:
    """The genuine environments of the experiment's task against the package's own asynchronous vector of them."""
    from cvpo_jax.profiling import host_envs

    workers = min(config.scale.num_envs, len(os.sched_getaffinity(0)))
    return host_envs.compare(config.env.id, workers, windows)


if __name__ == "__main__":
    cli.leave(cli.main(command))
