"""The section of a configuration on the algorithm."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Literal

from cvpo_jax.config.errors import MANY, require, require_at_most, require_positive, require_share
from cvpo_jax.config.roles import number, shapes_checkpoint

MIN_STD = 0.1
"""Smallest standard deviation of an action: the KL bounds let a narrower policy move too slowly to follow the limit."""
MAX_GAMMA = 0.999999
"""Beyond it 1 - gamma is rounding in float32."""
KL_ESTEP, KL_MEAN = (0.1, 0.2), (0.02, 0.05)
"""What None stands for as these bounds: where steps are cheap, and where they are dear."""
OF_CVPO = (
    "samples", "kl_estep", "kl_mean", "kl_covariance", "mstep_iterations", "multiplier_lr", "old_policy_rate"
)  # fmt: skip
"""Options of the E-step and the M-step, which SAC-Lagrangian has not."""
WIDEST = 20_000
"""Wider layers than any machine holds."""
Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class AlgoConfig:
    """Constrained variational policy optimization (Liu et al., ICML 2022), or what it is compared with."""

    name: Literal["cvpo", "sac_lag"] = shapes_checkpoint("cvpo")
    """The algorithm: CVPO, or SAC-Lagrangian to compare it with, on the same critics, replay and controller."""
    cost_limit: float = number(25.0)
    """L: the limit on the mean cost of an episode."""
    # Not part of the hash, since mappings have none; equality is enough to tell two configurations apart.
    constraints: Mapping[str, float] = shapes_checkpoint(default_factory=dict, hash=False)
    """Limits of cost components constrained by themselves, as cost_hazards=10,cost_gremlins=15; empty: the total's."""
    limits: tuple[float, ...] = shapes_checkpoint(())
    """Several limits in one training, as 5 10 25 50: policy and critics are told the limit, each has a multiplier and
    a share of the environments of its own, and `evaluate --limit` picks one; empty: `cost_limit` alone."""
    limit_mode: Literal["measured", "paper"] = "measured"
    """What keeps the limit: a PID controller on the measured cost of episodes, or the paper's threshold."""
    unconstrained_updates: int | None = None
    """Updates at first without regard to cost, 0: training, too, aims at the limit, and learns more slowly; None:
    3,000, of less than 40,000 updates as large a share."""
    gamma: float = number(0.99)
    """Discount of reward and cost."""
    n_step: int = 6
    """Steps of reward and cost before the critics bootstrap."""
    batch_size: int = 256
    """States per update, over all devices; with `limits` the most up to it that they share equally."""
    samples: int = 8
    """K: actions sampled at each state for the E-step, stratified: they weigh as exactly as 16 independent ones."""
    kl_estep: float | None = number(None)
    """E-step bound on the mean KL of the weighted samples from the old policy; None: 0.2 or 0.1, as `quantiles`."""
    kl_mean: float | None = number(None)
    """M-step bound on the KL from moving the policy's mean; None: 0.05 or 0.02, as `quantiles`."""
    kl_covariance: float = number(0.0005)
    """M-step bound on the KL from changing the policy's covariance."""
    mstep_iterations: int = 1
    """Gradient steps on the policy per update."""
    actor_lr: float = number(5e-4)
    """Learning rate of the policy."""
    critic_lr: float = number(1e-3)
    """Learning rate of the critics."""
    multiplier_lr: float = number(0.02)
    """Step size of the M-step multipliers, on the KL relative to its bound."""
    target_rate: float = number(0.01)
    """Share of the critics that their targets take over each update."""
    old_policy_rate: float = number(0.02)
    """Share of the policy that the old policy, which proposes the actions, takes over each update."""
    ema_rate: float = number(0.001)
    """Share of the policy that its running average, which is evaluated and deployed, takes over each update."""
    hidden: tuple[int, ...] = shapes_checkpoint((128, 128))
    """Widths of the hidden layers of policy and critics."""
    matmul_dtype: Precision = "float32"
    """Numbers that hidden layers multiply: bfloat16 is two to three times as fast where the hardware has it."""
    covariance: Literal["diagonal", "full"] = shapes_checkpoint("diagonal")
    """Shape of the policy's covariance."""
    initial_std: float = 0.3
    """Standard deviation of a fresh policy's actions, in the box [-1, 1]."""
    max_std: float = 0.4
    """Largest standard deviation: a wide policy cannot steer finely, and its own noise costs."""
    deterministic_share: float = 0.5
    """Share of the environments that act by a mean, half of them by the average policy's; the limit is held by them."""
    reward_critics: int = shapes_checkpoint(2)
    """Critics for reward; the smallest of their values counts, since a policy finds what one of them overrates."""
    cost_critics: int = shapes_checkpoint(2)
    """Critics for each cost."""
    cost_aggregate: Literal["mean", "max"] = "max"
    """How several critics of one cost become one estimate. A policy that seeks low cost finds where one errs low."""
    quantiles: int | None = shapes_checkpoint(None)
    """Quantiles of a value that critics learn, 1: the mean alone; None: 16 under 100 steps an update, else 1."""
    layer_norm: bool | None = shapes_checkpoint(None)
    """Normalize the critics' hidden layers; None: where there are under 100 steps an update."""
    reward_scale: float | None = None
    """Factor on the rewards that critics learn; None: 1 on the ports' navigation tasks, elsewhere from the warm-up."""
    normalize_observations: bool = True
    """Center and scale observations by running statistics."""
    recent_share: float = 0.5
    """Share of the E-step's states drawn from the newest `recent_steps` steps of the replay."""
    recent_steps: int | None = None
    """How many environment steps count as recent; None: a 40th of all, 200,000 at most."""

    @property
    def method(self) -> str:
        """What trainings are told apart by in tables: the mode, after the algorithm where that is not CVPO."""
        shared = "multi-limit " if self.limits else ""
        return shared + (self.limit_mode if self.name == "cvpo" else f"{self.name} {self.limit_mode}")

    @property
    def constraint_limits(self) -> dict[str, float]:
        """Name and limit of each constraint; the total cost is called `cost`."""
        return dict(self.constraints) or {"cost": self.cost_limit}

    @property
    def cost_limits(self) -> tuple[float, ...]:
        """The limit of each of the C constraints."""
        return tuple(self.constraint_limits.values())

    @property
    def judged_limits(self) -> tuple[float, ...]:
        """What the costs `cost_0`, `cost_1`, … of an evaluation are judged by: those of `limits`, or of constraints."""
        return self.limits or self.cost_limits

    def at_limit(self, limit: float) -> "AlgoConfig":
        """The same for one limit alone."""
        return replace(self, limits=(), cost_limit=limit)

    def validate(self) -> None:
        """Raise ConfigError unless every value can be used."""
        require_positive(
            "algo", self, "n_step", "batch_size", "samples", "kl_estep", "kl_mean", "kl_covariance", "reward_scale"
        )
        require_positive("algo", self, "mstep_iterations", "actor_lr", "critic_lr", "multiplier_lr", "recent_steps")
        require_positive("algo", self, "reward_critics", "cost_critics", "quantiles")
        require_at_most("algo", self, n_step=1_000, batch_size=MANY, samples=10_000, mstep_iterations=10_000)
        require_at_most("algo", self, reward_critics=100, cost_critics=100, quantiles=1_000)
        require(
            self.unconstrained_updates is None or self.unconstrained_updates >= 0,
            f"--algo.unconstrained_updates is {self.unconstrained_updates}: it cannot be negative",
        )
        require(
            0 < self.gamma <= MAX_GAMMA,
            f"--algo.gamma is {self.gamma}: it must lie strictly between 0 and 1, and not above {MAX_GAMMA}",
        )
        for name in ("target_rate", "old_policy_rate", "ema_rate"):
            value = getattr(self, name)
            require(0 < value <= 1, f"--algo.{name} is {value}: it must lie in (0, 1]")
        require_share("algo", self, "recent_share", "deterministic_share")
        require(
            MIN_STD < self.initial_std < self.max_std,
            f"--algo.initial_std is {self.initial_std}: it must lie between {MIN_STD} and max_std, {self.max_std}",
        )
        require(
            0 < len(self.hidden) <= 100 and min(self.hidden) > 0 and max(self.hidden) <= WIDEST,
            f"--algo.hidden is {self.hidden}: give one to 100 widths from 1 to {WIDEST:,}, as in --algo.hidden 128 128",
        )
        self._require_of_algorithm()
        if self.limits:
            self._require_limits()
        for name, limit in self.constraint_limits.items():
            require(limit >= 0, f"the limit on {name} is {limit}: the cost of an episode cannot be negative")

    def _require_limits(self) -> None:
        """Raise ConfigError unless one training can be held to all of `limits`."""
        said = f"--algo.limits is {' '.join(f'{limit:g}' for limit in self.limits)}"
        require(len(self.limits) > 1, f"{said}: give two or more, or one as --algo.cost_limit {self.limits[0]:g}")
        require(self.limits[0] >= 0, f"{said}: the cost of an episode cannot be negative")
        increasing = all(one < next_one for one, next_one in itertools.pairwise(self.limits))
        require(increasing, f"{said}: give each limit once, in increasing order")
        require(not self.constraints, f"{said}: they are limits on the total cost; leave out --algo.constraints")
        require(
            self.cost_limit == AlgoConfig.cost_limit,
            f"{said}: they stand in place of --algo.cost_limit {self.cost_limit:g}; "
            f"leave that at {AlgoConfig.cost_limit:g}",
        )
        require(
            self.limit_mode == "measured", f"{said}: the paper's threshold knows one limit; leave out --algo.limit_mode"
        )
        require(
            self.batch_size >= len(self.limits),
            f"--algo.batch_size is {self.batch_size}: each of {len(self.limits)} --algo.limits needs a state at least",
        )

    def _require_of_algorithm(self) -> None:
        """Raise ConfigError where an option was changed that the algorithm does not read."""
        filled_in = {"kl_estep": (None, *KL_ESTEP), "kl_mean": (None, *KL_MEAN)}
        for option in fields(self) if self.name == "sac_lag" else ():
            value = getattr(self, option.name)
            require(
                option.name not in OF_CVPO or value in filled_in.get(option.name, (option.default,)),
                f"--algo.{option.name} is {value}: --algo.name {self.name} has no E-step and no M-step; leave it out, "
                "or train with --algo.name cvpo",
            )
