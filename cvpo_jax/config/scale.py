"""How much is done how often: one rule from one environment to tens of thousands, for trainings short and long.

What a policy needs is updates, some 40,000. Steps of an environment are what they learn from: where these are cheap
each is used about once, where they are dear each is used many times. Critics that learn from the same step again and
again learn more of it as distributions, behind layer normalization, and the policy may move faster then; where each is
used about once they would only take longer.
"""

from dataclasses import dataclass, replace
from typing import TypeVar

from cvpo_jax.config.algo import KL_ESTEP, KL_MEAN, AlgoConfig
from cvpo_jax.config.controller import ControllerConfig
from cvpo_jax.config.sections import EnvConfig, TrainConfig

Number = TypeVar("Number", int, float)
Section = TypeVar("Section", AlgoConfig, ControllerConfig, TrainConfig)

UPDATES = 40_000
"""Updates that a training comes to, between the two rates below."""
MIN_RATE, MAX_RATE = 1 / 256, 1 / 5
"""Updates per step: with a batch of 256 each step is drawn about once at least, and 51 times at most, as FSRL does."""
COMPILED_ENVS, HOST_ENVS = 512, 20
COMPILED_STEPS, HOST_STEPS = 10_200_000, 1_000_000
MAX_WARMUP = 80_000
MAX_RECENT = 200_000
MAX_REPLAY = 1_600_000
MIN_REPLAY_ROWS = 32
"""Steps of each environment that the replay holds at least, however many there are."""
EPOCH_UPDATES = 1_000
REUSE_RATE = 1 / 100
"""Updates per step above which a step counts as dear."""
UNCONSTRAINED_UPDATES, DESCENT_UPDATES, INTEGRAL_UPDATES = 3_000, 8_000, 10_000
"""Of a training of `UPDATES` or more: those before cost counts, those in which the allowed cost falls by a factor of e,
and those in which the integral takes in an excess of 1. Shorter trainings have as many in proportion."""
LEAST_SHARE = 0.1
"""Of these updates, however short a training is: policies follow the pressure later than a few hundred updates."""
OF_ALGO = ("recent_steps", "kl_estep", "kl_mean", "quantiles", "layer_norm", "unconstrained_updates")
OF_CONTROLLER = ("integral_rate", "descent_rate")
OF_TRAIN = ("steps", "updates_per_step", "warmup_steps", "replay_size", "epoch_steps")
"""The options of these sections that the rule fills in; of `env` it is `num_envs`."""


@dataclass(frozen=True)
class Scale:
    """The options that the rule fills in: as given, or what follows from the others."""

    num_envs: int
    steps: int
    updates_per_step: float
    warmup_steps: int
    replay_size: int
    epoch_steps: int
    recent_steps: int
    kl_estep: float
    kl_mean: float
    quantiles: int
    layer_norm: bool
    unconstrained_updates: int
    integral_rate: float
    descent_rate: float

    @classmethod
    def of(cls, env: EnvConfig, algo: AlgoConfig, controller: ControllerConfig, train: TrainConfig) -> "Scale":
        """Fill in what is None."""
        compiled = env.backend == "brax"
        num_envs = _given(env.num_envs, _shared(len(algo.limits), compiled))
        steps = _given(train.steps, COMPILED_STEPS if compiled else HOST_STEPS)
        rate = _given(train.updates_per_step, _possible(min(max(UPDATES / steps, MIN_RATE), MAX_RATE), num_envs))
        dear = rate > REUSE_RATE
        share = min(max(round(20 * steps * rate / UPDATES) / 20, LEAST_SHARE), 1.0)
        return cls(
            num_envs=num_envs,
            steps=steps,
            updates_per_step=rate,
            warmup_steps=_given(train.warmup_steps, min(steps // 100, MAX_WARMUP)),
            replay_size=_given(train.replay_size, max(min(steps, MAX_REPLAY), MIN_REPLAY_ROWS * num_envs)),
            epoch_steps=_given(train.epoch_steps, round(EPOCH_UPDATES / rate)),
            recent_steps=_given(algo.recent_steps, min(steps // 40, MAX_RECENT)),
            kl_estep=_given(algo.kl_estep, KL_ESTEP[dear]),
            kl_mean=_given(algo.kl_mean, KL_MEAN[dear]),
            quantiles=_given(algo.quantiles, 16 if dear else 1),
            layer_norm=dear if algo.layer_norm is None else algo.layer_norm,
            unconstrained_updates=_given(algo.unconstrained_updates, round(share * UNCONSTRAINED_UPDATES)),
            integral_rate=_given(controller.integral_rate, 1 / (share * INTEGRAL_UPDATES)),
            descent_rate=_given(controller.descent_rate, 1 / (share * DESCENT_UPDATES)),
        )

    def fill_in(self, algo: AlgoConfig, controller: ControllerConfig) -> tuple[AlgoConfig, ControllerConfig]:
        """The two sections with nothing left to the rule."""
        return self._filled(algo, OF_ALGO), self._filled(controller, OF_CONTROLLER)

    def fill_in_train(self, train: TrainConfig) -> TrainConfig:
        """The section with nothing left to the rule."""
        return self._filled(train, OF_TRAIN)

    def _filled(self, section: Section, names: tuple[str, ...]) -> Section:
        return replace(section, **{name: getattr(self, name) for name in names})


def of_cheap_steps(algo: AlgoConfig, controller: ControllerConfig) -> tuple[AlgoConfig, ControllerConfig]:
    """Both by themselves, without an experiment around them: as the rule fills them in by default."""
    return Scale.of(EnvConfig(), algo, controller, TrainConfig()).fill_in(algo, controller)


def _given(value: Number | None, otherwise: Number) -> Number:
    return otherwise if value is None else value


def _shared(limits: int, compiled: bool) -> int:
    """About the usual number of environments, of which several limits share a quarter, on four devices too, equally."""
    usual, unit = (COMPILED_ENVS, 16 * limits) if compiled else (HOST_ENVS, 4 * limits)
    return max(1, round(usual / unit)) * unit if limits else usual


def _possible(rate: float, num_envs: int) -> float:
    """The rate near `rate` that whole updates, or whole steps of all environments between two updates, make."""
    wanted = rate * num_envs
    return round(wanted) / num_envs if wanted >= 1 else 1 / (round(1 / wanted) * num_envs)
