"""The section of a configuration on the controller that keeps the limit."""

from dataclasses import dataclass

from cvpo_jax.config.errors import require, require_positive


@dataclass(frozen=True)
class ControllerConfig:
    """The PID controller that `--algo.limit_mode measured` keeps the limit with; equations in the docs' design pages.

    Its error e is the log ratio of the measured cost of an episode to the target; its output, the pressure, is the
    E-step's multiplier in units of std(Qr) / std(Qc).
    """

    target_share: float = 0.8
    """The target, as a share of the limit."""
    min_limit_share: float = 1e-3
    """Cost per step added to measured and target cost: it keeps their ratio finite at a limit of 0."""
    proportional: float = 0.45
    """Gain on the error."""
    derivative: float = 1.0
    """Gain on the trend: the error over the last `fast_episodes` less that over the last `slow_episodes`."""
    integral_rate: float | None = None
    """Gain of the integral, for each update; None: 1/10,000, more where there are less than 40,000 updates."""
    initial_integral: float = 0.8
    """Where the integral starts: near where it settles on most tasks."""
    max_integrated_excess: float = 0.4
    """Largest relative excess of cost that is integrated: more winds up while cost still comes down, and overshoots."""
    min_error: float = -2.0
    """Lower bound on the error."""
    max_error: float = 0.7
    """Upper bound on the error."""
    slack_error: float = -1.0
    """The constraint is let go where the error is below this."""
    release: float = 1.0
    """Gain on what the error lies below `slack_error`."""
    max_pressure: float = 3.0
    """Bound on the pressure and on the integral, either side of 0."""
    descent_rate: float | None = None
    """How fast the reference, the error allowed for now, comes down to 0, for each update; None: 1/8,000, likewise."""
    loosest_reference: float = 5.0
    """A reference above this means that cost is still unconstrained; at this value 150 times the target is allowed."""
    fast_episodes: float = 0.5
    """Episodes of measured cost that the fast running mean remembers."""
    slow_episodes: float = 2.0
    """Episodes of measured cost that the slow running means remember."""

    def validate(self) -> None:
        """Raise ConfigError unless every value can be used."""
        require_positive("controller", self, "min_limit_share", "max_integrated_excess", "max_error", "max_pressure")
        require_positive("controller", self, "descent_rate", "loosest_reference", "fast_episodes", "slow_episodes")
        require(
            0 < self.target_share <= 1,
            f"--controller.target_share is {self.target_share}: it must lie in (0, 1], as a share of the limit",
        )
        for name in ("proportional", "derivative", "integral_rate", "release"):
            value = getattr(self, name)
            require(value is None or value >= 0, f"--controller.{name} is {value}: it cannot be negative")
        require(self.min_error < 0, f"--controller.min_error is {self.min_error}: it must be less than 0")
        require(self.slack_error < 0, f"--controller.slack_error is {self.slack_error}: it must be less than 0")
        require(
            abs(self.initial_integral) <= self.max_pressure,
            f"--controller.initial_integral is {self.initial_integral}: max_pressure, {self.max_pressure}, bounds it",
        )
