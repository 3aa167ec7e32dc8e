"""What a run says before it begins."""

from collections.abc import Callable
from pathlib import Path

import jax

from cvpo_jax.algorithm.threshold import threshold_from_limit
from cvpo_jax.experience.rollout import CollectorState
from cvpo_jax.training.trial_set import TrialSet


def announce(say: Callable[[str], None], trials: TrialSet, collector: CollectorState, step: int, run_dir: Path) -> None:
    """What is about to be done, before it takes long: task, limit and threshold, memory, devices."""
    config, static = trials.config, trials.static
    say(f"{config.env.id} ({config.env.backend}) on {trials.trial_devices} {trials.chosen[0].platform} device(s)")
    if config.algo.limits:
        say(
            f"cost: limits {' '.join(f'{limit:g}' for limit in config.algo.limits)} an episode of "
            f"{static.episode_length} steps, each with a share of the environments"
        )
    for name, limit in {} if config.algo.limits else config.algo.constraint_limits.items():
        threshold = float(threshold_from_limit(limit, config.algo.gamma, static.episode_length))
        say(
            f"{name}: limit {limit:g} an episode of {static.episode_length} steps, gamma {config.algo.gamma:g}: "
            f"threshold {threshold:.3f}"
        )
    scale = config.scale
    updates = (scale.steps - scale.warmup_steps) * scale.updates_per_step
    say(
        f"{scale.steps:,} steps of {scale.num_envs:,} environments, an update every {1 / scale.updates_per_step:.3g}: "
        f"{updates:,.0f} updates"
    )
    here = sum(x.nbytes for x in jax.tree.leaves(collector.replay)) / 2**30
    size = here * trials.trial_devices / len(trials.chosen)
    say(f"replay of {trials.rows * config.scale.num_envs:,} steps: {size:.3f} GiB")
    say(f"going on with {run_dir} from step {step:,}" if step else f"results go to {run_dir}")
