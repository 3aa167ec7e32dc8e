"""How an experiment scales over devices: `python -m cvpo_jax.bench EXPERIMENT --devices 1,2,4`.

Each device has the environments, the replay and the share of a batch that the experiment has on one: with D devices a
perfect program makes D times the environment steps, and as many updates a second, each on D times the states. For more
devices than there are here, only what each would send is worked out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax

from cvpo_jax.algorithm.state import Hyperparameters, init_train_state
from cvpo_jax.algorithm.update import update
from cvpo_jax.config import Config, ConfigError
from cvpo_jax.experience import rollout
from cvpo_jax.profiling.collectives import Collective, find_collectives, repeat_collectives
from cvpo_jax.profiling.loops import update_loop
from cvpo_jax.profiling.timing import Measurement, Window, measure
from cvpo_jax.runtime import devices
from cvpo_jax.training import trainer
from cvpo_jax.training.epoch import make_draw

ROW = "{:>8} {:>12} {:>10} {:>11} {:>10} {:>15} {:>8} {:>16}"
HEADER = ("devices", "steps/s", "efficiency", "updates/s", "efficiency", "collectives", "share", "sent per update")


@dataclass(frozen=True)
class Speed:
    """What was measured on one number of devices."""

    training: Measurement
    update: Measurement
    collectives: Measurement
    """Updates a second if an update were its collectives alone."""


@dataclass(frozen=True)
class Scale:
    """An experiment on `count` devices."""

    count: int
    update: list[Collective]
    """The collectives of an update."""
    collection: list[Collective]
    """Those of the collection between updates: statistics of observations and cost."""
    speed: Speed | None
    """None where there are not as many devices."""

    def summary(self, first: "Scale") -> dict[str, Any]:
        """All of it, for JSON; efficiencies are relative to `first`."""
        sent = {
            f"bytes_sent_{name}": sum(one.bytes_sent(self.count) for one in getattr(self, name))
            for name in ("update", "collection")
        }
        collectives = [{"kind": one.kind, "bytes": one.bytes_given, "times": one.times} for one in self.update]
        return {"devices": self.count, **self._speeds(first), **sent, "collectives_update": collectives}

    def _speeds(self, first: "Scale") -> dict[str, float]:
        if not self.speed or not first.speed:
            return {}
        seconds = 1 / self.speed.collectives.median
        steps, base = self.speed.training.median / self.count, first.speed.training.median / first.count
        return {
            "steps_per_second": self.speed.training.median,
            "steps_efficiency": steps / base,
            "updates_per_second": self.speed.update.median,
            "updates_efficiency": self.speed.update.median / first.speed.update.median,
            "collective_seconds_per_update": seconds,
            "collective_share_of_update": seconds * self.speed.update.median,
        }


def read_counts(text: str) -> tuple[int, ...]:
    """Read `1,2,4`; raises ConfigError."""
    try:
        counts = tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError:
        counts = (0,)
    if counts[0] < 1:
        raise ConfigError(f"--devices is {text}: give numbers of devices, as in 1,2,4")
    return counts


def scale(config: Config, counts: Sequence[int], window: Window) -> list[Scale]:
    """The experiment on each number of devices; raises ConfigError where its environments are not compiled."""
    if config.env.backend != "brax":
        raise ConfigError(f"--devices: environments of --env.backend {config.env.backend} do not run on devices")
    here = len(jax.local_devices())
    return [_scale(config, count, window if count <= here else None) for count in counts]


def widened(config: Config, count: int) -> Config:
    """`config` for `count` devices, each with the environments, replay and share of a batch that it has on one."""
    wide = config.with_envs(count * config.scale.num_envs)
    algo = replace(wide.algo, batch_size=count * config.algo.batch_size)
    return replace(wide, algo=algo, train=replace(wide.train, devices=count))


def _scale(config: Config, count: int, window: Window | None) -> Scale:
    of_update, of_collection = trace_collectives(config, count)
    speed = _measured(widened(config, count), of_update, window) if window else None
    return Scale(count, of_update, of_collection, speed)


def trace_collectives(config: Config, count: int) -> tuple[list[Collective], list[Collective]]:
    """The collectives of an update and of the collection before it on `count` devices, none of which need be here."""
    one = widened(config, 1).validate()
    env, schedule = trainer.make_env(one, one.scale.num_envs), one.schedule()
    static, key = trainer.make_static_config(one, env), jax.random.PRNGKey(0)
    state = jax.eval_shape(partial(init_train_state, static), Hyperparameters.from_config(one.algo), key)
    collector = jax.eval_shape(partial(rollout.start, env, one.scale.replay_size // one.scale.num_envs), key)
    batch = jax.eval_shape(
        lambda stored, gamma: make_draw(one, 1)(stored, key, gamma=gamma),
        collector.replay,
        state.hyperparameters.gamma,
    )
    collect = partial(rollout.collect, env, steps=schedule.unroll, random=False, axis_name=devices.AXIS_NAME)
    return (
        find_collectives(partial(update, axis_name=devices.AXIS_NAME), state, batch, count=count),
        find_collectives(collect, state, collector, count=count),
    )


def _measured(config: Config, found: list[Collective], window: Window) -> Speed:
    """Speeds on as many devices as `config` names."""
    built = trainer.build(config)
    state, collector = built.fresh()
    state, collector, _ = jax.block_until_ready(built.warmup(state, collector))
    carry = (state, collector.key, collector.replay)
    update_speed, _ = measure("update", "updates/s", built.epoch_updates, update_loop(built), carry, window)
    alone, values = repeat_collectives(found, built.chosen, built.epoch_updates)
    collective_speed, _ = measure("collectives", "updates/s", built.epoch_updates, alone, (values,), window)
    # Last, since it donates its arguments.
    training, _ = measure("training", "steps/s", built.epoch_steps, built.epoch, (state, collector), window)
    return Speed(training, update_speed, collective_speed)


def table(scales: Sequence[Scale]) -> str:
    """The scales as a table, and the collectives of an update on the most devices."""
    lines = [ROW.format(*HEADER)]
    for one in scales:
        found = one.summary(scales[0])
        sent = f"{found['bytes_sent_update'] / 1e6:,.2f} MB"
        if not one.speed:
            lines.append(ROW.format(one.count, *["-"] * 6, sent))
            continue
        lines.append(
            ROW.format(
                one.count,
                f"{found['steps_per_second']:,.0f}",
                f"{found['steps_efficiency']:.0%}",
                f"{found['updates_per_second']:,.0f}",
                f"{found['updates_efficiency']:.0%}",
                f"{found['collective_seconds_per_update'] * 1e6:,.0f} us",
                f"{found['collective_share_of_update']:.0%}",
                sent,
            )
        )
    if not all(one.speed for one in scales):
        lines.append(f"{len(jax.local_devices())} device(s) are here: of more, only what they would send is known")
    last = scales[-1]
    lines += ["", f"collectives on {last.count} devices in their order: bytes each contributes, and sends in a ring"]
    for name, collectives in (("update", last.update), ("collection", last.collection)):
        for each in collectives:
            times = f" x {each.times}" if each.times > 1 else ""
            sent = f"{each.bytes_sent(last.count):>14,.0f}"
            lines.append(f"{name:>12} {each.kind:<12} {each.bytes_given:>12,}{times} {sent}")
    return "\n".join(lines)
