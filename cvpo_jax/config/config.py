"""An experiment's whole configuration: its sections, their checks against each other and the schedule they give."""

import dataclasses
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cvpo_jax.config import roles
from cvpo_jax.config.controller import ControllerConfig
from cvpo_jax.config.errors import ConfigError, require
from cvpo_jax.config.sections import AlgoConfig, EnvConfig, EvalConfig, TrainConfig

SECTIONS: dict[str, Any] = {
    "env": EnvConfig,
    "algo": AlgoConfig,
    "controller": ControllerConfig,
    "train": TrainConfig,
    "eval": EvalConfig,
}


@dataclass(frozen=True)
class Config:
    """An experiment: `experiments/*.py` return one, the command line overrides it."""

    env: EnvConfig = field(default_factory=EnvConfig)
    algo: AlgoConfig = field(default_factory=AlgoConfig)
    controller: ControllerConfig = field(default_factory=ControllerConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    eval: EvalConfig = field(default_factory=EvalConfig)
    run_dir: str | None = None
    """Where results go; None: runs/<task>-seed<seed>-<time>."""

    def validate(self) -> "Config":
        """Return self, or raise ConfigError with one line that names the value and the remedy."""
        for name in SECTIONS:
            getattr(self, name).validate()
        require(
            self.train.replay_size >= self.env.num_envs * (self.algo.n_step + 2),
            f"--train.replay_size is {self.train.replay_size}: {self.env.num_envs} environments with n_step"
            f" {self.algo.n_step} need at least {self.env.num_envs * (self.algo.n_step + 2)}",
        )
        self.schedule()
        return self

    def schedule(self) -> "Schedule":
        """How env steps and updates interleave; raises ConfigError where `updates_per_step` cannot be met."""
        wanted = self.env.num_envs * self.train.updates_per_step
        unroll = max(1, round(1 / wanted))
        updates = round(unroll * wanted)
        actual = updates / (unroll * self.env.num_envs)
        require(
            abs(actual / self.train.updates_per_step - 1) < 0.02,
            f"--train.updates_per_step is {self.train.updates_per_step}: {self.env.num_envs} environments allow"
            f" {actual:.6g} ({updates} updates every {unroll} steps of each); take that or change --env.num_envs",
        )
        steps = unroll * self.env.num_envs
        iterations = max(1, round(self.train.epoch_steps / steps))
        warmup = unroll * math.ceil(max(self.algo.n_step + 2, self.train.warmup_steps / self.env.num_envs) / unroll)
        return Schedule(unroll=unroll, updates=updates, iterations=iterations, warmup=warmup)

    def with_envs(self, num_envs: int) -> "Config":
        """The same training on `num_envs` environments: as many updates, between which more, or fewer, steps are taken.

        Whatever is counted in steps of all environments grows along, so that an episode lasts as many updates and the
        replay reaches as far back.
        """
        ratio = num_envs / self.env.num_envs

        def steps(count: int) -> int:
            return round(count * ratio)

        train = dataclasses.replace(
            self.train,
            steps=steps(self.train.steps),
            updates_per_step=self.train.updates_per_step / ratio,
            warmup_steps=steps(self.train.warmup_steps),
            replay_size=steps(self.train.replay_size),
            epoch_steps=steps(self.train.epoch_steps),
        )
        algo = dataclasses.replace(self.algo, recent_steps=steps(self.algo.recent_steps))
        return dataclasses.replace(self, env=dataclasses.replace(self.env, num_envs=num_envs), algo=algo, train=train)

    def shaping(self) -> Iterator[tuple[str, Any]]:
        """Name (as in `env.id`) and value of each option that stored arrays have their shapes from."""
        for name, section in SECTIONS.items():
            for option in roles.shaping(section):
                value = getattr(getattr(self, name), option)
                # Of constraints only the names, in their order.
                yield f"{name}.{option}", tuple(value) if option == "constraints" else value

    def to_json(self) -> str:
        """The whole configuration as JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Config":
        """Read what `to_json` wrote; raises ConfigError on options this version does not know."""
        try:
            values = json.loads(text)
            values["algo"]["hidden"] = tuple(values["algo"]["hidden"])
            return cls(**{k: SECTIONS[k](**v) if k in SECTIONS else v for k, v in values.items()}).validate()
        except (json.JSONDecodeError, TypeError, KeyError) as error:
            raise ConfigError(f"config.json cannot be read ({error}); it was not written by this version") from error


@dataclass(frozen=True)
class Schedule:
    """One iteration of the loop: `unroll` steps of every environment, then `updates` updates."""

    unroll: int
    updates: int
    iterations: int
    """Iterations an epoch."""
    warmup: int
    """Steps of every environment with random actions before the first epoch; a multiple of `unroll`."""
