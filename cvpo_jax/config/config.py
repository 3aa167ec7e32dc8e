"""An experiment's whole configuration: its sections, their checks against each other and the schedule they give."""

import dataclasses
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cvpo_jax.config import roles
from cvpo_jax.config.algo import AlgoConfig
from cvpo_jax.config.controller import ControllerConfig
from cvpo_jax.config.errors import ConfigError, require
from cvpo_jax.config.scale import Scale
from cvpo_jax.config.sections import EnvConfig, EvalConfig, TrainConfig
from cvpo_jax.config.value_types import INT_BOUND, require_types

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
        for name, kind in SECTIONS.items():
            section = getattr(self, name)
            require(isinstance(section, kind), f"{name} is {section!r}: it must be an {kind.__name__}")
            require_types(name, section)
            section.validate()
        require(
            self.run_dir is None or isinstance(self.run_dir, str), f"--run_dir is {self.run_dir!r}: it must be a text"
        )
        scale = self.scale
        least = scale.num_envs * (self.algo.n_step + 2)
        require(
            scale.replay_size >= least,
            f"--train.replay_size is {scale.replay_size}: {scale.num_envs} environments with n_step {self.algo.n_step}"
            f" need at least {least}",
        )
        require(
            self.algo.batch_size <= scale.replay_size,
            f"--algo.batch_size is {self.algo.batch_size}: it cannot exceed --train.replay_size, {scale.replay_size}",
        )
        self.schedule()
        return self

    @property
    def scale(self) -> Scale:
        """The options that follow from others where they are None."""
        return Scale.of(self.env, self.algo, self.controller, self.train)

    def complete(self, before: "Config | None" = None) -> "Config":
        """The same configuration with nothing left to the rule of `Scale`.

        Of a run that goes on, `before` is the configuration it began with: a longer one keeps its other numbers.
        """
        scale = before.scale if before else self.scale
        if before:
            scale = dataclasses.replace(scale, **_given(self))
        algo, controller = scale.fill_in(self.algo, self.controller)
        return dataclasses.replace(
            self,
            env=dataclasses.replace(self.env, num_envs=scale.num_envs),
            algo=algo,
            controller=controller,
            train=scale.fill_in_train(self.train),
        )

    def schedule(self) -> "Schedule":
        """How env steps and updates interleave; raises ConfigError where `updates_per_step` cannot be met."""
        scale = self.scale
        num_envs, rate = scale.num_envs, scale.updates_per_step
        wanted = num_envs * rate
        least, most = num_envs / INT_BOUND, INT_BOUND / max(num_envs, scale.epoch_steps)
        require(
            least <= wanted and rate <= most,
            f"--train.updates_per_step is {rate}: it must lie between {1 / INT_BOUND:.1g} and {most:.6g}, so that"
            " updates can be counted",
        )
        unroll = max(1, round(1 / wanted))
        updates = round(unroll * wanted)
        actual = updates / (unroll * num_envs)
        require(
            abs(actual / rate - 1) < 0.02,
            f"--train.updates_per_step is {rate}: {num_envs} environments allow {actual:.6g} ({updates} updates every"
            f" {unroll} steps of each); take that, change --env.num_envs, or leave it to the default",
        )
        iterations = max(1, round(scale.epoch_steps / (unroll * num_envs)))
        warmup = unroll * math.ceil(max(self.algo.n_step + 2, scale.warmup_steps / num_envs) / unroll)
        return Schedule(unroll=unroll, updates=updates, iterations=iterations, warmup=warmup)

    def with_envs(self, num_envs: int) -> "Config":
        """The same training on `num_envs` environments: as many updates, between which more, or fewer, steps are taken.

        Whatever is counted in steps of all environments grows along, so that an episode lasts as many updates and the
        replay reaches as far back.
        """
        scale, complete = self.scale, self.complete()
        ratio = num_envs / scale.num_envs

        def steps(count: int) -> int:
            return round(count * ratio)

        train = dataclasses.replace(
            complete.train,
            steps=steps(scale.steps),
            updates_per_step=scale.updates_per_step / ratio,
            warmup_steps=steps(scale.warmup_steps),
            replay_size=steps(scale.replay_size),
            epoch_steps=steps(scale.epoch_steps),
        )
        algo = dataclasses.replace(complete.algo, recent_steps=steps(scale.recent_steps))
        env = dataclasses.replace(self.env, num_envs=num_envs)
        return dataclasses.replace(complete, env=env, algo=algo, train=train)

    def shaping(self) -> Iterator[tuple[str, Any]]:
        """Name (as in `env.id`) and value of each option that stored arrays have their shapes from."""
        for name, section in SECTIONS.items():
            for option in roles.shaping(section):
                value = getattr(getattr(self, name), option)
                if option == "constraints":  # only the names, in their order
                    value = tuple(value)
                elif option == "kwargs":  # as they are stored
                    value = json.loads(json.dumps(value))
                yield f"{name}.{option}", value

    def to_json(self) -> str:
        """The whole configuration as JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Config":
        """Read what `to_json` wrote; raises ConfigError unless it holds every option of this version, and no other."""
        try:
            values = json.loads(text)
        except ValueError as error:
            raise ConfigError(
                f"config.json cannot be read ({error}): take it from a copy, or start a new run"
            ) from error
        _require_names("", values, cls)
        for name, section in SECTIONS.items():
            _require_names(f"{name}.", values[name], section)
        # JSON has lists only.
        for name in ("hidden", "limits"):
            if isinstance(values["algo"][name], list):
                values["algo"][name] = tuple(values["algo"][name])
        sections = {name: section(**values[name]) for name, section in SECTIONS.items()}
        return cls(**sections, run_dir=values["run_dir"]).validate()


def _require_names(prefix: str, values: Any, kind: type) -> None:
    """Raise ConfigError unless `values` is a mapping with exactly the options of the dataclass `kind`.

    A missing one is not taken for its default: another version may have had another.
    """
    place = prefix.removesuffix(".") or "it"
    require(isinstance(values, dict), f"config.json cannot be read: {place} is not an object; take it from a copy")
    known = [option.name for option in dataclasses.fields(kind)]
    version = "; another version wrote it, add or remove that entry if you know what it stands for"
    for name in known:
        require(name in values, f"config.json lacks {prefix}{name}{version}")
    for name in values:
        require(name in known, f"config.json holds {prefix}{name}, which this version does not know{version}")


def _given(config: Config) -> dict[str, Any]:
    """The options of `Scale` that a configuration does not leave to its rule."""
    own = vars(config.train) | vars(config.algo) | vars(config.controller) | {"num_envs": config.env.num_envs}
    return {field.name: own[field.name] for field in dataclasses.fields(Scale) if own[field.name] is not None}


@dataclass(frozen=True)
class Schedule:
    """One iteration of the loop: `unroll` steps of every environment, then `updates` updates."""

    unroll: int
    updates: int
    iterations: int
    """Iterations an epoch."""
    warmup: int
    """Steps of every environment with random actions before the first epoch; a multiple of `unroll`."""
