"""The options, section by section, in frozen dataclasses that check themselves in words that carry the values."""

from dataclasses import dataclass
from typing import Any, Literal

MIN_STD = 0.1
"""Smallest standard deviation of an action: the KL bounds let a narrower policy move too slowly to follow the limit."""
Backend = Literal["brax", "gymnasium"]
Precision = Literal["float32", "bfloat16"]


class ConfigError(ValueError):
    """A configuration that cannot be run; the message names the option, its value and the remedy."""


def require(condition: bool, message: str) -> None:
    """Raise ConfigError with the message unless the condition holds."""
    if not condition:
        raise ConfigError(message)


def _positive(section: str, config: Any, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        require(value > 0, f"--{section}.{name} is {value}: it must be greater than 0")


@dataclass(frozen=True)
class EnvConfig:
    """The task."""

    id: str = "SafetyPointGoal1-v0"
    """Safety-Gymnasium's id of the task."""
    backend: Backend = "brax"
    """`brax`: the port inside the compiled loop; `gymnasium`: the genuine environment through host callbacks."""
    num_envs: int = 512
    """Environments stepped together, over all devices."""
    layout: Literal["random", "fixed"] = "random"
    """A new layout each episode, or one for all."""
    episode_length: int = 0
    """Steps of an episode; 0: the task's own."""
    control_step: float = 0.0
    """Seconds that an action acts, on the port; 0: the robot's own."""
    hazards: int = 0
    """Number of hazards, on the port; 0: the task's own."""
    hazard_size: float = 0.0
    """Radius (m) of a hazard, on the port; 0: the task's own."""
    gremlin_travel: float = 0.0
    """Radius (m) of the circle that gremlins move on, on the port; 0: the task's own."""

    def validate(self) -> None:
        """Raise ConfigError unless every value can be used."""
        _positive("env", self, "num_envs")
        require(self.episode_length >= 0, f"--env.episode_length is {self.episode_length}: it cannot be negative")
        for name in ("control_step", "hazards", "hazard_size", "gremlin_travel"):
            value = getattr(self, name)
            require(value >= 0, f"--env.{name} is {value}: it cannot be negative")
            only_port = self.backend == "brax" or not value
            require(only_port, f"--env.{name} is {value}: with --env.backend {self.backend} it cannot be changed")


@dataclass(frozen=True)
class AlgoConfig:
    """Constrained variational policy optimization (Liu et al., ICML 2022)."""

    cost_limit: float = 25.0
    """L: the limit on the mean cost of an episode."""
    constraints: str = ""
    """Separate constraints on cost components, as `cost_hazards=10,cost_gremlins=15`; empty: one, on all cost."""
    limit_mode: Literal["measured", "paper"] = "measured"
    """What keeps the limit: a controller on the measured cost of episodes, or the paper's threshold."""
    free_updates: int = 3_000
    """Updates at first without regard to cost; 0: training, too, aims at the limit, and learns more slowly."""
    gamma: float = 0.99
    """Discount of reward and cost."""
    n_step: int = 6
    """Steps of reward and cost before the critics bootstrap."""
    batch_size: int = 256
    """States an update, over all devices."""
    samples: int = 8
    """K: actions sampled at each state for the E-step, stratified: they weigh as exactly as 16 independent ones."""
    kl: float = 0.1
    """E-step bound on the mean KL of the weighted samples from the old policy."""
    kl_mean: float = 0.02
    """M-step bound on the KL from moving the policy's mean."""
    kl_covariance: float = 0.0005
    """M-step bound on the KL from changing the policy's covariance."""
    mstep_iterations: int = 1
    """Gradient steps on the policy an update."""
    actor_lr: float = 5e-4
    """Learning rate of the policy."""
    critic_lr: float = 1e-3
    """Learning rate of the critics."""
    multiplier_lr: float = 0.02
    """Step size of the M-step multipliers, on the KL relative to its bound."""
    target_rate: float = 0.01
    """Share of the critics that their targets take over each update."""
    old_policy_rate: float = 0.02
    """Share of the policy that the old policy, which proposes the actions, takes over each update."""
    average_rate: float = 0.001
    """Share of the policy that its running average, which is evaluated and deployed, takes over each update."""
    hidden: tuple[int, ...] = (128, 128)
    """Widths of the hidden layers of policy and critics."""
    products: Precision = "float32"
    """What the hidden layers multiply: `bfloat16` is two to three times as fast where the hardware has it."""
    covariance: Literal["diagonal", "full"] = "diagonal"
    """Shape of the policy's covariance."""
    initial_std: float = 0.3
    """Standard deviation of a fresh policy's actions, in the box [-1, 1]."""
    max_std: float = 0.4
    """Largest standard deviation: a wide policy cannot steer finely, and its own noise costs."""
    greedy_share: float = 0.5
    """Share of the environments that act by a mean, half of them by the average policy's; the limit is held by them."""
    reward_critics: int = 2
    """Critics for reward; the least of their values counts, since a policy finds what one of them overrates."""
    cost_critics: int = 2
    """Critics for each cost."""
    cost_aggregate: Literal["mean", "max"] = "max"
    """How several critics of one cost become one estimate: a policy that seeks low cost finds where one errs on the low
    side, which the maximum guards against. Never the minimum: it hides cost."""
    normalize_observations: bool = True
    """Center and scale observations by running statistics."""
    recent_share: float = 0.5
    """Share of the E-step's states drawn from the newest `recent_steps` steps of the replay."""
    recent_steps: int = 200_000
    """How many environment steps count as recent."""

    @property
    def constraint_limits(self) -> dict[str, float]:
        """Name and limit of each constraint; the total cost is called `cost`."""
        if not self.constraints:
            return {"cost": self.cost_limit}
        limits = {}
        for part in self.constraints.split(","):
            name, sign, value = part.partition("=")
            try:
                limits[name.strip()] = float(value)
            except ValueError:
                sign = ""
            require(sign == "=", f"--algo.constraints: {part!r} is not of the form name=limit, as in cost_hazards=10")
        return limits

    @property
    def cost_limits(self) -> tuple[float, ...]:
        """The limit of each of the C constraints."""
        return tuple(self.constraint_limits.values())

    def validate(self) -> None:
        """Raise ConfigError unless every value can be used."""
        _positive("algo", self, "n_step", "batch_size", "samples", "kl", "kl_mean", "kl_covariance", "mstep_iterations")
        _positive("algo", self, "actor_lr", "critic_lr", "multiplier_lr", "reward_critics", "cost_critics")
        _positive("algo", self, "recent_steps")
        require(self.free_updates >= 0, f"--algo.free_updates is {self.free_updates}: it cannot be negative")
        require(0 < self.gamma < 1, f"--algo.gamma is {self.gamma}: it must lie strictly between 0 and 1")
        for name in ("target_rate", "old_policy_rate", "average_rate"):
            value = getattr(self, name)
            require(0 < value <= 1, f"--algo.{name} is {value}: it must lie in (0, 1]")
        for name in ("recent_share", "greedy_share"):
            value = getattr(self, name)
            require(0 <= value <= 1, f"--algo.{name} is {value}: it must lie in [0, 1]")
        require(
            MIN_STD < self.initial_std < self.max_std,
            f"--algo.initial_std is {self.initial_std}: it must lie between {MIN_STD} and max_std, {self.max_std}",
        )
        require(
            len(self.hidden) > 0 and min(self.hidden) > 0,
            f"--algo.hidden is {self.hidden}: give at least one positive width, as in --algo.hidden 128 128",
        )
        for name, limit in self.constraint_limits.items():
            require(limit >= 0, f"the limit on {name} is {limit}: the cost of an episode cannot be negative")


@dataclass(frozen=True)
class TrainConfig:
    """The training loop."""

    seed: int = 0
    """Seed of everything random."""
    steps: int = 10_200_000
    """Environment steps to train for; rounded up to whole epochs: 40 by default, evaluated every 4,000 updates."""
    updates_per_step: float = 1 / 256
    """Updates for each environment step."""
    warmup_steps: int = 80_000
    """Steps with random actions before the first update."""
    replay_size: int = 1_600_000
    """Steps the replay buffer holds, over all devices."""
    epoch_steps: int = 256_000
    """Environment steps in one compiled call."""
    max_minutes: float = 0.0
    """Stop (and save) after this many minutes of training, those before a resume included; 0: no bound."""
    devices: int = 0
    """Devices to train on; 0: all of them."""

    def validate(self) -> None:
        """Raise ConfigError unless every value can be used."""
        _positive("train", self, "steps", "updates_per_step", "replay_size", "epoch_steps")
        require(self.warmup_steps >= 0, f"--train.warmup_steps is {self.warmup_steps}: it cannot be negative")
        require(self.max_minutes >= 0, f"--train.max_minutes is {self.max_minutes}: it cannot be negative")
        require(self.devices >= 0, f"--train.devices is {self.devices}: it cannot be negative")


@dataclass(frozen=True)
class EvalConfig:
    """Evaluation in whole episodes."""

    episodes: int = 100
    """EvaluationResult an evaluation; a new layout each."""
    every: int = 4
    """Epochs between evaluations; each writes metrics and a checkpoint."""
    stochastic: bool = False
    """Evaluate the policy as it explores, rather than its mean."""

    def validate(self) -> None:
        """Raise ConfigError unless every value can be used."""
        _positive("eval", self, "episodes", "every")
