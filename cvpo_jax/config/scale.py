"""How much is done how often: one rule from one environment to tens of thousands, for trainings short and long.

What a policy needs is updates, some 40,000. Steps of an environment are what they learn from: where these are cheap
each is used about once, where they are dear each is used many times. Critics that learn from the same step again and
again learn more of it as distributions, behind layer normalization, and the policy may move faster then; where each is
used about once they would only take longer.
"""

from dataclasses import dataclass, replace
from typing import TypeVar

from cvpo_jax.config.sections import AlgoConfig, EnvConfig, TrainConfig

Number = TypeVar("Number", int, float)

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
OF_ALGO = ("recent_steps", "kl_estep", "kl_mean", "quantiles", "layer_norm")
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

    @classmethod
    def of(cls, env: EnvConfig, algo: AlgoConfig, train: TrainConfig) -> "Scale":
        """Fill in what is None."""
        compiled = env.backend == "brax"
        num_envs = _given(env.num_envs, COMPILED_ENVS if compiled else HOST_ENVS)
        steps = _given(train.steps, COMPILED_STEPS if compiled else HOST_STEPS)
        rate = _given(train.updates_per_step, _possible(min(max(UPDATES / steps, MIN_RATE), MAX_RATE), num_envs))
        dear = rate > REUSE_RATE
        return cls(
            num_envs=num_envs,
            steps=steps,
            updates_per_step=rate,
            warmup_steps=_given(train.warmup_steps, min(steps // 100, MAX_WARMUP)),
            replay_size=_given(train.replay_size, max(min(steps, MAX_REPLAY), MIN_REPLAY_ROWS * num_envs)),
            epoch_steps=_given(train.epoch_steps, round(EPOCH_UPDATES / rate)),
            recent_steps=_given(algo.recent_steps, min(steps // 40, MAX_RECENT)),
            kl_estep=_given(algo.kl_estep, 0.2 if dear else 0.1),
            kl_mean=_given(algo.kl_mean, 0.05 if dear else 0.02),
            quantiles=_given(algo.quantiles, 16 if dear else 1),
            layer_norm=dear if algo.layer_norm is None else algo.layer_norm,
        )


def of_cheap_steps(algo: AlgoConfig) -> AlgoConfig:
    """`algo` by itself, without an experiment around it: as the rule fills it in by default."""
    scale = Scale.of(EnvConfig(), algo, TrainConfig())
    return replace(algo, **{name: getattr(scale, name) for name in OF_ALGO})


def _given(value: Number | None, otherwise: Number) -> Number:
    return otherwise if value is None else value


def _possible(rate: float, num_envs: int) -> float:
    """The rate near `rate` that whole updates, or whole steps of all environments between two updates, make."""
    wanted = rate * num_envs
    return round(wanted) / num_envs if wanted >= 1 else 1 / (round(1 / wanted) * num_envs)
