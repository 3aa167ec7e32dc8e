"""The sections on task, training and evaluation: frozen dataclasses that check themselves in words with the values."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cvpo_jax.config.errors import MANY, ConfigError, require, require_at_most, require_positive, require_seed
from cvpo_jax.config.roles import shapes_checkpoint

Backend = Literal["brax", "gymnasium"]
Placement = Literal["pmap", "shard_map"]
PORT_OPTIONS = ("control_step", "hazards", "hazard_size", "gremlin_travel")
"""Options of the ports alone."""


@dataclass(frozen=True)
class EnvConfig:
    """The task."""

    id: str = shapes_checkpoint("SafetyPointGoal1-v0")
    """Safety-Gymnasium's id of a task, or your own as module:Name, a function that makes it or a registered id."""
    kwargs: Mapping[str, Any] = shapes_checkpoint(default_factory=dict, hash=False)
    """Arguments of your own environment's function, as JSON."""
    folder: str | None = None
    """The folder your own module lies in, if not the working folder; None: that of the experiment file."""
    backend: Backend = shapes_checkpoint("brax")
    """`brax`: inside the compiled loop; `gymnasium`: in worker processes. Your own environment's kind decides."""
    num_envs: int | None = shapes_checkpoint(None)
    """Environments stepped together, over all devices; None: 512 inside the compiled loop, 20 in worker processes,
    or the nearest number that `algo.limits` share equally."""
    layout: Literal["random", "fixed"] = shapes_checkpoint("random")
    """A new layout each episode, or one for all."""
    episode_length: int | None = shapes_checkpoint(None)
    """Steps of an episode; None: the task's own."""
    action_bound: float | None = shapes_checkpoint(None)
    """Bound on the actions of your own environment where its action space has none."""
    observation_key: str | None = shapes_checkpoint(None)
    """The entry of dictionary observations that is used; None: "state" beside "privileged_state", else all of them."""
    control_step: float | None = shapes_checkpoint(None)
    """Seconds that an action acts, on the port; None: the robot's own."""
    hazards: int | None = shapes_checkpoint(None)
    """Number of hazards, on the port; None: the task's own."""
    hazard_size: float | None = shapes_checkpoint(None)
    """Radius (m) of a hazard, on the port; None: the task's own."""
    gremlin_travel: float | None = shapes_checkpoint(None)
    """Radius (m) of the circle that gremlins move on, on the port; None: the task's own."""

    @property
    def is_own(self) -> bool:
        """Whether the id names an environment of the user's: module:Name."""
        return ":" in self.id

    def validate(self) -> None:
        """Raise ConfigError unless every value can be used."""
        require_positive("env", self, "num_envs", "episode_length", "action_bound", "control_step", "hazard_size")
        require_positive("env", self, "gremlin_travel")
        require_at_most("env", self, num_envs=MANY, episode_length=10 * MANY, hazards=1_000)
        require(self.hazards is None or self.hazards >= 0, f"--env.hazards is {self.hazards}: it cannot be negative")
        for name in PORT_OPTIONS:
            value = getattr(self, name)
            possible = (self.backend == "brax" and not self.is_own) or value is None
            whose = self.id if self.is_own else f"--env.backend {self.backend}"
            require(possible, f"--env.{name} is {value}: with {whose} it cannot be changed")
        try:
            json.dumps(self.kwargs, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"--env.kwargs is {self.kwargs}: it must be a JSON object ({error})") from error
        for name in ("kwargs", "action_bound", "observation_key"):
            value = getattr(self, name)
            possible = self.is_own or not value
            require(possible, f"--env.{name} is {value}: only an environment of your own, module:Name, takes it")


@dataclass(frozen=True)
class TrainConfig:
    """The training loop."""

    seed: int = 0
    """Seed of everything random."""
    steps: int | None = None
    """Environment steps to train for, rounded up to whole epochs; None: 10,200,000, in worker processes 1,000,000."""
    updates_per_step: float | None = None
    """Updates for each environment step; None: what makes 40,000 of them, between 1/256 and 1/5."""
    warmup_steps: int | None = None
    """Steps with random actions before the first update; None: a hundredth of all, 80,000 at most."""
    replay_size: int | None = shapes_checkpoint(None)
    """Steps the replay buffer holds, over all devices; None: all of them, 1,600,000 at most."""
    epoch_steps: int | None = None
    """Environment steps in one compiled call; None: those of 1,000 updates."""
    max_minutes: float | None = None
    """Stop (and save) after this many minutes of training, those before a resume included; None: no bound."""
    devices: int | None = None
    """Devices to train on; None: all of them."""
    placement: Placement = "pmap"
    """What places the compiled loop on them; both give the same numbers."""

    def out_of_time(self, seconds: float) -> bool:
        """Whether a run that has trained for so long is over."""
        return self.max_minutes is not None and seconds >= 60 * self.max_minutes

    def validate(self) -> None:
        """Raise ConfigError unless every value can be used."""
        require_positive("train", self, "steps", "updates_per_step", "replay_size", "epoch_steps")
        require_positive("train", self, "max_minutes", "devices")
        require_seed(self.seed, "--train.seed")
        warmup = self.warmup_steps
        require(warmup is None or warmup >= 0, f"--train.warmup_steps is {warmup}: it cannot be negative")


@dataclass(frozen=True)
class EvalConfig:
    """Evaluation in whole episodes."""

    episodes: int = 100
    """Episodes per evaluation; a new layout each."""
    every: int = 4
    """Epochs between evaluations; each writes metrics and a checkpoint."""
    stochastic: bool = False
    """Evaluate the policy as it explores, rather than its mean."""

    def validate(self) -> None:
        """Raise ConfigError unless every value can be used."""
        require_positive("eval", self, "episodes", "every")
        require_at_most("eval", self, episodes=MANY)
