"""What new episodes cost on top of stepping: both measured by turns, in the compiled loop `loops.environment_loop`.

A step in which any episode ends computes a new start for all n environments of a device, of which those that ended take
theirs. Staggered episodes end in PHASES different steps, so that this comes up PHASES times an episode.

Notation: D devices, n environments on each.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from cvpo_jax.profiling.timing import Window
from envs.base import State, episode_of, with_episode
from envs.staggering import PHASES


@dataclass(frozen=True)
class ResetCost:
    """The cost of new episodes, all environments of a device taken together."""

    step_seconds: float
    """Seconds of a step in which no episode ends, at the start of an episode."""
    reset_seconds: float
    """How many seconds longer a step takes in which one ends."""
    resets_per_step: float

    @property
    def share(self) -> float:
        """Time spent on resets relative to the time spent on steps."""
        return self.resets_per_step * self.reset_seconds / self.step_seconds

    def summary(self) -> dict[str, float]:
        """All of it, for JSON."""
        return {
            "step_seconds": self.step_seconds,
            "reset_seconds": self.reset_seconds,
            "resets_per_step": self.resets_per_step,
            "share_of_stepping": self.share,
        }

    def describe(self) -> str:
        """Step, reset and their ratio in one line."""
        times = f"step {1e3 * self.step_seconds:.2f} ms, reset {1e3 * self.reset_seconds:.2f} ms"
        return f"{times}, {self.resets_per_step:.3f} resets a step: {self.share:.1%} of stepping"


def ending(state: State, length: int, *, often: bool) -> State:
    """`state` (leaves `[D, n, ...]`) such that of the next `length` steps each ends an episode if `often`, else none.

    With fewer than `length` environments only as many steps do.
    """
    episode = episode_of(state)
    steps = episode.steps
    due = jnp.arange(steps.shape[-1], dtype=steps.dtype) % length if often else jnp.full_like(steps, length)
    return with_episode(state, episode.replace(length=steps + 1 + due))


def measure_resets(
    run: Callable[..., tuple], state: State, keys: jax.Array, length: int, episode_length: int, window: Window
) -> ResetCost:
    """The cost of resets by `run(state, keys)`, which makes `length` steps from the start of an episode.

    Medians over `window.count` pairs of windows. Raises ValueError unless `length` is below `episode_length`.
    """
    if length >= episode_length:
        raise ValueError(f"{length} steps a call: must be fewer than the {episode_length} of an episode")
    environments = episode_of(state).steps.shape[-1]
    starts = [ending(state, length, often=often) for often in (False, True)]
    jax.block_until_ready([run(start, keys) for start in starts])
    pairs = [[_seconds(run, start, keys, window.seconds) for start in starts] for _ in range(window.count)]
    quiet = statistics.median(pair[0] for pair in pairs)
    longer = statistics.median(pair[1] - pair[0] for pair in pairs)
    return ResetCost(
        step_seconds=quiet / length,
        reset_seconds=longer / min(length, environments),
        resets_per_step=min(PHASES, environments) / episode_length,
    )


def _seconds(run: Callable[..., tuple], state: State, keys: jax.Array, minimum: float) -> float:
    """Seconds of one call, over a window of at least `minimum` seconds."""
    calls, begin = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - begin) < minimum or not calls:
        jax.block_until_ready(run(state, keys))
        calls += 1
    return elapsed / calls
