"""How much is done how often: one rule from one environment to tens of thousands, for trainings short and long.

What a policy needs is updates, some 40,000. Steps of an environment are what they learn from: where these are cheap
each is used about once, where they are dear each is used many times.
"""

from dataclasses import dataclass
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

    @classmethod
    def of(cls, env: EnvConfig, algo: AlgoConfig, train: TrainConfig) -> "Scale":
        """Fill in what is None."""
        compiled = env.backend == "brax"
        num_envs = _given(env.num_envs, COMPILED_ENVS if compiled else HOST_ENVS)
        steps = _given(train.steps, COMPILED_STEPS if compiled else HOST_STEPS)
        rate = _given(train.updates_per_step, _possible(min(max(UPDATES / steps, MIN_RATE), MAX_RATE), num_envs))
        return cls(
            num_envs=num_envs,
            steps=steps,
            updates_per_step=rate,
            warmup_steps=_given(train.warmup_steps, min(steps // 100, MAX_WARMUP)),
            replay_size=_given(train.replay_size, max(min(steps, MAX_REPLAY), MIN_REPLAY_ROWS * num_envs)),
            epoch_steps=_given(train.epoch_steps, round(EPOCH_UPDATES / rate)),
            recent_steps=_given(algo.recent_steps, min(steps // 40, MAX_RECENT)),
        )


def _given(value: Number | None, otherwise: Number) -> Number:
    return otherwise if value is None else value


def _possible(rate: float, num_envs: int) -> float:
    """The rate near `rate` that whole updates, or whole steps of all environments between two updates, make."""
    wanted = rate * num_envs
    return round(wanted) / num_envs if wanted >= 1 else 1 / (round(1 / wanted) * num_envs)
