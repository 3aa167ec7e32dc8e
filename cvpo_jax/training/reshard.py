"""Spread what several devices collected over another number of them, so that a run can go on elsewhere.

Notation: D devices, N environments over all of them, n = N / D on one, S rows of the replay.
"""

from typing import Any

import jax

from cvpo_jax.config import ConfigError
from cvpo_jax.experience.replay import Replay
from cvpo_jax.experience.rollout import CollectorState


def reshard(collector: CollectorState, num_devices: int) -> CollectorState:
    """`collector` with `num_devices` as its leading axis: the same environments and steps in the same order.

    Leaves may be arrays of either kind or tracers. Keys are new where the number changes, so that devices explore
    differently. Raises ConfigError where the environments cannot be shared equally.
    """
    before, each = collector.replay.data.reward.shape[0], collector.replay.data.reward.shape[2]
    if num_devices == before:
        return collector
    if before * each % num_devices:
        raise ConfigError(f"{before * each} environments cannot be shared equally by {num_devices} devices")

    def spread(x: Any) -> Any:
        """`[D, n, ...]` on the other devices."""
        if x.shape[:2] != (before, each):
            raise ConfigError("environments of this kind stay on the devices they began on: keep --train.devices")
        return x.reshape(num_devices, before * each // num_devices, *x.shape[2:])

    def copied(x: Any) -> Any:
        """What is the same on every device, `[D, ...]`."""
        return x[:1].repeat(num_devices, 0)

    replay = collector.replay
    rows_last = jax.tree.map(lambda x: spread(x.swapaxes(1, 2)).swapaxes(1, 2), replay.data)
    under_way = {name: spread(getattr(collector.episode, name)) for name in ("steps", "reward", "cost")}
    # Sums over finished episodes are forgotten at the end of an epoch, before a checkpoint: zero on every device.
    return CollectorState(
        env_state=jax.tree.map(spread, collector.env_state),
        replay=Replay(rows_last, copied(replay.position), copied(replay.size)),
        episode=jax.tree.map(copied, collector.episode).replace(**under_way),
        key=jax.random.split(jax.numpy.asarray(collector.key)[0], num_devices),
    )
