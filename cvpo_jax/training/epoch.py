"""The loop of training, compiled once for the warm-up and the epochs: steps of all environments, then updates.

Notation: D devices.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from cvpo_jax.algorithm.state import Batch, Metrics, TrainState
from cvpo_jax.algorithm.update import update
from cvpo_jax.config import Config, Schedule
from cvpo_jax.config.sections import Placement
from cvpo_jax.experience import replay, rollout
from cvpo_jax.experience.rollout import CollectorState
from cvpo_jax.runtime import devices
from envs import VectorEnv

Loop = Callable[..., tuple[TrainState, CollectorState, Metrics]]


@dataclass(frozen=True)
class Phase:
    """The warm-up or an epoch of training: both run one compiled loop, since compiling it is what users wait for."""

    loop: Loop
    warm_up: jax.Array
    """Which of the two, `[D]`: on the devices, so that an epoch need not transfer it."""

    def __call__(self, state: TrainState, collector: CollectorState) -> tuple[TrainState, CollectorState, Metrics]:
        """Run it; the arguments are donated."""
        return self.loop(self.warm_up, state, collector)

    def lower(self, state: TrainState, collector: CollectorState) -> "LoweredPhase":
        """As of a jitted function."""
        return LoweredPhase(self.loop.lower(self.warm_up, state, collector), self.warm_up)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class LoweredPhase:
    """A phase before it is compiled."""

    loop: Any
    warm_up: jax.Array

    def compile(self) -> Loop:
        """A function of state and collector, as the phase is."""
        return partial(self.loop.compile(), self.warm_up)


def make_phases(loop: Callable, chosen: list[jax.Device], placement: Placement) -> dict[str, Phase]:
    """The fields `warmup` and `epoch` of a trainer, from its loop on one device, of which the flag comes first."""
    parallel = devices.parallel(loop, devices.all_devices(chosen), placement=placement, donate_argnums=(1, 2))
    flags = (devices.replicate(jnp.array(value), chosen) for value in (True, False))
    return dict(zip(("warmup", "epoch"), (Phase(parallel, flag) for flag in flags), strict=True))


def make_draw(config: Config, num_devices: int) -> Callable[..., Batch]:
    """`replay.sample` for one of `num_devices` devices: from a replay, a key and `gamma` to its share of a batch."""
    algo, limits = config.algo, len(config.algo.limits)
    each = algo.batch_size // num_devices
    return partial(
        replay.sample,
        batch_size=each - each % limits if limits else each,
        limits=limits,
        n_step=algo.n_step,
        recent_share=algo.recent_share,
        recent_rows=max(1, config.scale.recent_steps // config.scale.num_envs),
    )


def make_learn(config: Config, num_devices: int) -> Callable:
    """One draw from the replay and the update it feeds: the body of a `lax.scan` over (state, key, replay).

    Written for one of `num_devices` devices; takes `axis_name`.
    """
    draw = make_draw(config, num_devices)

    def learn(carry: tuple, _: None, *, axis_name: str | None) -> tuple[tuple, Metrics]:
        state, key, stored = carry
        key, key_batch = jax.random.split(key)
        state, metrics = update(state, draw(stored, key_batch, gamma=state.hyperparameters.gamma), axis_name=axis_name)
        return (state, key, stored), metrics

    return learn


def make_loop(config: Config, schedule: Schedule, env: VectorEnv, num_devices: int) -> Callable:
    """The loop of training: in each iteration `unroll` steps of all environments, then `updates` updates.

    As a warm-up it acts at random and does not update. Written for one device; takes `axis_name`. Metrics are means
    over the epoch, `rollout.COUNTS` the counts of bad values.
    """
    learn = make_learn(config, num_devices)

    def loop(
        warm_up: jax.Array, state: TrainState, collector: CollectorState, *, axis_name: str | None = None
    ) -> tuple[TrainState, CollectorState, Metrics]:
        # Under a jit of its own it is traced once, although its shapes are asked for twice; inlined, it leaves no mark.
        @partial(jax.jit, inline=True)
        def updates(carry: tuple) -> tuple[tuple, Metrics]:
            (state, key, _), metrics = jax.lax.scan(
                partial(learn, axis_name=axis_name), carry, None, length=schedule.updates
            )
            return (state, key), jax.tree.map(jnp.mean, metrics)

        def no_updates(carry: tuple) -> tuple[tuple, Metrics]:
            shapes = jax.eval_shape(updates, carry)[1]
            return carry[:2], jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)

        def iteration(_: jax.Array, carry: tuple) -> tuple:
            state, collector, sums = carry
            state, collector, bad = rollout.collect(
                env, state, collector, steps=schedule.unroll, random=warm_up, axis_name=axis_name
            )
            learning = (state, collector.key, collector.replay)
            # The replay is not a result of the condition, which might copy it.
            (state, key), metrics = jax.lax.cond(warm_up, no_updates, updates, learning)
            metrics |= devices.psum(jax.tree.map(lambda x: x.astype(jnp.float32), bad), axis_name)
            return state, collector.replace(key=key), jax.tree.map(jnp.add, sums, metrics)

        iterations = jnp.where(warm_up, schedule.warmup // schedule.unroll, schedule.iterations)
        nothing = no_updates((state, collector.key, collector.replay))[1] | dict.fromkeys(rollout.COUNTS, jnp.zeros(()))
        state, collector, sums = jax.lax.fori_loop(0, iterations, iteration, (state, collector, nothing))
        episodes, episode_metrics = collector.episode.report(axis_name)
        metrics = {name: value if name in rollout.COUNTS else value / iterations for name, value in sums.items()}
        return state, collector.replace(episode=episodes), metrics | episode_metrics

    return loop
