"""Brax's own SAC on our port of PointButton1: training steps per second, with its epochs as the windows."""

import os
import sys
from typing import Any

from window import take_output

TASK, ENVS, STEPS = "SafetyPointButton1-v0", 256, 12_800
UPDATES_PER_STEP = 1 / 128


def main() -> None:
    """Train, and answer each line of the input with the speed of the next epoch."""
    answers = take_output()
    import brax.envs
    import jax
    import jax.numpy as jnp
    from brax.training.agents.sac import networks
    from brax.training.agents.sac import train as sac

    import envs.registry  # noqa: F401 - registers the ports
    from cvpo_jax.runtime import compilation_cache

    compilation_cache.enable_cache()
    # Brax 0.14.2 calls this function of JAX's, which JAX 0.10 has removed.
    jax.device_put_replicated = lambda x, devices: jax.tree.map(lambda leaf: jnp.stack([leaf] * len(devices)), x)
    seen: list[float] = []

    def progress(_: int, metrics: dict[str, Any]) -> None:
        if "training/sps" not in metrics:
            return
        # The first epoch compiles.
        print(float(metrics["training/sps"]) if seen else "ready", file=answers, flush=True)
        seen.append(metrics["training/sps"])
        if not sys.stdin.readline():
            os._exit(0)

    sac.train(
        brax.envs.get_environment(TASK),
        num_timesteps=1000 * STEPS,
        num_evals=1001,
        num_eval_envs=1,
        episode_length=1000,
        num_envs=ENVS,
        batch_size=256,
        grad_updates_per_step=round(ENVS * UPDATES_PER_STEP),
        min_replay_size=2560,
        max_replay_size=200_000,
        max_devices_per_host=1,
        network_factory=lambda *sizes, **options: networks.make_sac_networks(
            *sizes, hidden_layer_sizes=(128, 128), **options
        ),
        progress_fn=progress,
    )


if __name__ == "__main__":
    main()
