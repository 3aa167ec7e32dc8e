"""A PID controller on the measured cost of episodes, which decides what the E-step is asked for.

The paper's threshold (`threshold`) averages over replay states and trusts the critic, so that realized cost settles
elsewhere, and while old, costly data is in the replay no policy within the KL bound can meet it. What is asked for here
is always feasible: lower E_q[Qc] by a fraction of the decrease attainable within the KL bound, as SB-TRPO does with a
constant fraction (arXiv 2512.23770). The fraction follows the measured cost of episodes by a PID law, as the multiplier
of a PID Lagrangian does (Stooke et al. 2020, arXiv 2007.03964), but on the logarithm of cost and in units of the
critics' spreads. The design page on the limit controller has the equations.

Notation: C constraints.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import struct

from cvpo_jax.algorithm.step_rates import StepRates
from cvpo_jax.config import ControllerConfig


class ControllerState(struct.PyTreeNode):
    """What the controller remembers."""

    fast: StepRates  # running means of a step by policies' means, over about half an episode
    slow: StepRates  # the same over two episodes
    deployed: StepRates  # running means of a step by the mean of the average policy alone, over two episodes
    integral: jax.Array  # [C]
    reference: jax.Array  # [C] the error allowed for now: it leads from where cost began down to 0


class LimitController(NamedTuple):
    """The controller's law: its constants, and the limit it keeps."""

    config: ControllerConfig
    limit: jax.Array  # [C] mean undiscounted cost of an episode
    time_limit: int  # of an episode, steps

    def error(self, rates: StepRates) -> jax.Array:
        """Log ratio `[C]` of the mean cost of an episode to the target; 0 where just met."""
        # In the unit of the cost itself, so that the same task in other units is controlled alike.
        floor = self.config.min_limit_share * rates.mean_length(self.time_limit) * rates.unit
        cost = rates.episode_cost(self.time_limit)
        return jnp.log((cost + floor) / (self.config.target_share * self.limit + floor))

    def expected_error(self, state: ControllerState) -> jax.Array:
        """The error `[C]` that the present trend leads to, less the reference.

        Cost follows pressure late, so that its trend tells first, and it is seen soonest in all policies' cost. Where
        the deployed policy's lies above that, the difference is added. Below, it is left as room: at a limit that is a
        wall in the task the costs of single policies scatter widely.
        """
        now, before, deployed = (self.error(rate) for rate in (state.fast, state.slow, state.deployed))
        expected = now + self.config.derivative * (now - before) + jnp.maximum(deployed - before, 0)
        return jnp.clip(expected - state.reference, self.config.min_error, self.config.max_error)

    def advance(self, state: ControllerState) -> ControllerState:
        """Move integral and reference by one update."""
        config, unconstrained = self.config, self._unconstrained(state)
        assert config.integral_rate is not None and config.descent_rate is not None  # filled in by `Scale`
        # The excess itself, not its logarithm: it has a mean of zero where mean cost, not its geometric mean, is on
        # target.
        excess = jnp.minimum(jnp.expm1(self.expected_error(state)), config.max_integrated_excess)
        step = jnp.where(unconstrained, 0, config.integral_rate * excess)
        lowered = jnp.minimum(state.reference, self.error(state.slow))
        reference = jnp.where(unconstrained, state.reference, lowered)
        return state.replace(
            integral=jnp.clip(state.integral + step, -config.max_pressure, config.max_pressure),
            reference=jnp.maximum(reference - config.descent_rate, 0),
        )

    def pressure(self, state: ControllerState) -> jax.Array:
        """How hard to push cost down, `[C]`: for uncorrelated Q's the multiplier in units of std(Qr) / std(Qc)."""
        config, expected = self.config, self.expected_error(state)
        slack = jnp.maximum(config.slack_error - expected, 0)
        drive = state.integral + config.proportional * expected - config.release * slack
        bounded = jnp.clip(drive, -config.max_pressure, config.max_pressure)
        return jnp.where(self._unconstrained(state), -config.max_pressure, bounded)

    def _unconstrained(self, state: ControllerState) -> jax.Array:
        """Whether `[C]` the task is still learned without regard to cost, as in the first updates."""
        return state.reference > self.config.loosest_reference


def initial_controller(config: ControllerConfig, num_constraints: int, unconstrained_updates: int) -> ControllerState:
    """Before anything was measured. Without unconstrained updates the limit is aimed at from the first one."""
    assert config.descent_rate is not None  # filled in by `Scale`
    reference = config.loosest_reference + unconstrained_updates * config.descent_rate if unconstrained_updates else 0.0
    # Separate arrays, since the state is donated and a buffer may be given away only once.
    return ControllerState(
        fast=StepRates.zeros(num_constraints),
        slow=StepRates.zeros(num_constraints),
        deployed=StepRates.zeros(num_constraints),
        integral=jnp.full(num_constraints, config.initial_integral),
        reference=jnp.full(num_constraints, reference),
    )


def observe_rates(
    config: ControllerConfig,
    state: ControllerState,
    rates: StepRates,
    deployed: StepRates,
    *,
    seen: jax.Array,
    steps: int,
    time_limit: int,
) -> ControllerState:
    """Take the means over the last `steps` steps into the running means; `seen` [] steps came before them.

    `rates` are those of newest and average policy together, which tell sooner; `deployed` those of the average alone.
    """

    def mix(before: StepRates, now: StepRates, episodes: float) -> StepRates:
        share = jnp.minimum(jnp.maximum(steps / (episodes * time_limit), steps / (seen + steps)), 1.0)
        return jax.tree.map(lambda old, new: old + share * (new - old), before, now)

    return state.replace(
        fast=mix(state.fast, rates, config.fast_episodes),
        slow=mix(state.slow, rates, config.slow_episodes),
        deployed=mix(state.deployed, deployed, config.slow_episodes),
    )


def controlled_threshold(pressure: jax.Array, mean_cost: jax.Array, attainable: jax.Array) -> jax.Array:
    """The E-step's threshold `[C]`: E_pi[Qc] less a fraction of the decrease attainable within the KL bound.

    A multiplier lam (normalized, Q's uncorrelated) tilts along Qr - lam Qc, which attains lam / sqrt(1 + lam^2) of the
    largest decrease: the fraction is that function of the pressure. Below zero it lets cost grow.
    """
    return mean_cost - pressure / jnp.sqrt(1 + pressure**2) * attainable
