"""From the limit on an episode's cost to what the E-step is asked for.

Users state L, the limit on the mean undiscounted cost of an episode of T steps. The paper turns it into a threshold on
the discounted cost critic (`threshold_from_limit`). That threshold averages over replay states and trusts the critic,
so the realized cost settles elsewhere, and while old, costly data is in the replay no policy within the KL bound can
meet it. The controller asks for something always feasible instead: lower E_q[Qc] by a fraction of what is attainable
within the KL bound, where the fraction follows the measured cost of episodes.

Notation: C constraints, T episode length.
"""

import jax
import jax.numpy as jnp
from flax import struct
from jax.typing import ArrayLike

# How the pressure is made from the error, the log ratio of the measured cost to what is aimed at.
MAX_PRESSURE = 3.0
INITIAL_INTEGRAL = 0.8  # near where tasks settle
PROPORTIONAL = 0.45
DERIVATIVE = 1.0
INTEGRAL_RATE = 1 / 10_000  # an update
MOST_INTEGRATED = 0.4  # of an excess: more winds up while cost comes down late, and overshoots
TARGET_SHARE = 0.8  # of the limit
SMALLEST_LIMIT_SHARE = 1e-3  # of an episode's steps: keeps the ratio finite at a limit of 0
LOWEST_ERROR, HIGHEST_ERROR = -2.0, 0.7
SLACK_ERROR, RELEASE = -1.0, 1.0  # the constraint is let go where cost is further below its limit than this

# How the limit is approached.
DESCENT_RATE = 1 / 8_000  # of the log of cost, an update
LOOSEST_REFERENCE = 5.0  # 150 times what is aimed at; a higher reference means that cost is still free

# What the running means of measured cost forget, in episodes.
FAST_EPISODES, SLOW_EPISODES = 0.5, 2.0


class ControllerState(struct.PyTreeNode):
    """What the controller remembers; all `[C]`."""

    fast: jax.Array  # running mean cost of a step by policies' means, over about half an episode
    slow: jax.Array  # the same over two episodes
    deployed: jax.Array  # running mean cost of a step by the mean of the average policy alone, over two episodes
    integral: jax.Array
    reference: jax.Array  # the error that is aimed at for now: it leads from where cost began down to 0


def initial_controller(num_constraints: int, free_updates: int) -> ControllerState:
    """Before anything was measured. Cost is free for `free_updates` updates; without any the limit is aimed at."""
    reference = LOOSEST_REFERENCE + free_updates * DESCENT_RATE if free_updates else 0.0
    # Separate arrays, since the state is donated and a buffer may be given away only once.
    return ControllerState(
        fast=jnp.zeros(num_constraints),
        slow=jnp.zeros(num_constraints),
        deployed=jnp.zeros(num_constraints),
        integral=jnp.full(num_constraints, INITIAL_INTEGRAL),
        reference=jnp.full(num_constraints, reference),
    )


def threshold_from_limit(limit: ArrayLike, gamma: ArrayLike, episode_length: int) -> jax.Array:
    """The paper's threshold eps1 `[C]` on the discounted cost: L/T (1 - gamma^T) / (1 - gamma)."""
    limit, gamma = jnp.asarray(limit), jnp.asarray(gamma)
    return limit / episode_length * (1 - gamma**episode_length) / (1 - gamma)


def episodic_cost(discounted: jax.Array, gamma: jax.Array, episode_length: int) -> jax.Array:
    """The inverse of `threshold_from_limit`: the episode's cost that a discounted cost predicts."""
    return discounted * episode_length * (1 - gamma) / (1 - gamma**episode_length)


def measure(
    controller: ControllerState,
    mean_cost: jax.Array,
    deployed_cost: jax.Array,
    seen: jax.Array,
    steps: int,
    episode_length: int,
) -> ControllerState:
    """Take the mean costs `[C]` of the last `steps` steps into the running means; `seen` [] steps came before them.

    `mean_cost` is that of newest and average policy together, which tells sooner; `deployed_cost` the average's alone.
    """

    def mix(rate: jax.Array, cost: jax.Array, episodes: float) -> jax.Array:
        share = jnp.maximum(steps / (episodes * episode_length), steps / (seen + steps))
        return rate + jnp.minimum(share, 1.0) * (cost - rate)

    return controller.replace(
        fast=mix(controller.fast, mean_cost, FAST_EPISODES),
        slow=mix(controller.slow, mean_cost, SLOW_EPISODES),
        deployed=mix(controller.deployed, deployed_cost, SLOW_EPISODES),
    )


def error(rate: jax.Array, limit: jax.Array, episode_length: int) -> jax.Array:
    """Log ratio `[C]` of the cost of an episode at a mean cost `rate` of a step to the limit; 0 where just met."""
    floor = SMALLEST_LIMIT_SHARE * episode_length
    return jnp.log((rate * episode_length + floor) / (TARGET_SHARE * limit + floor))


def expected_error(controller: ControllerState, limit: jax.Array, episode_length: int) -> jax.Array:
    """The error `[C]` that the present trend leads to, less what is aimed at for now.

    Cost follows pressure late, so that its trend tells first, and it is seen soonest in all policies' cost. Where the
    deployed policy's lies above that, the difference is added. Below, it is left as room: at a limit that is a wall in
    the task the costs of single policies scatter widely.
    """
    now, before, deployed = (
        error(rate, limit, episode_length) for rate in (controller.fast, controller.slow, controller.deployed)
    )
    expected = now + DERIVATIVE * (now - before) + jnp.maximum(deployed - before, 0)
    return jnp.clip(expected - controller.reference, LOWEST_ERROR, HIGHEST_ERROR)


def integrate(controller: ControllerState, limit: jax.Array, episode_length: int) -> ControllerState:
    """Move integral and reference by one update."""
    free = _free(controller)
    # The excess itself, not its logarithm: it has a mean of zero where mean cost, not its geometric mean, is as asked.
    excess = jnp.minimum(jnp.expm1(expected_error(controller, limit, episode_length)), MOST_INTEGRATED)
    step = jnp.where(free, 0, INTEGRAL_RATE * excess)
    present = error(controller.slow, limit, episode_length)
    reference = jnp.where(free, controller.reference, jnp.minimum(controller.reference, present))
    return controller.replace(
        integral=jnp.clip(controller.integral + step, -MAX_PRESSURE, MAX_PRESSURE),
        reference=jnp.maximum(reference - DESCENT_RATE, 0),
    )


def pressure(controller: ControllerState, limit: jax.Array, episode_length: int) -> jax.Array:
    """How hard to push cost down, `[C]`: for uncorrelated Q's the multiplier in units of std(Qr)/std(Qc)."""
    expected = expected_error(controller, limit, episode_length)
    drive = controller.integral + PROPORTIONAL * expected - RELEASE * jnp.maximum(SLACK_ERROR - expected, 0)
    return jnp.where(_free(controller), -MAX_PRESSURE, jnp.clip(drive, -MAX_PRESSURE, MAX_PRESSURE))


def _free(controller: ControllerState) -> jax.Array:
    """Whether `[C]` the task is still learned without regard to cost, as in the first updates."""
    return controller.reference > LOOSEST_REFERENCE


def controlled_threshold(pressure: jax.Array, mean_cost: jax.Array, attainable: jax.Array) -> jax.Array:
    """The E-step's threshold `[C]`: E_pi[Qc] less a fraction of the decrease attainable within the KL bound.

    A multiplier lam (normalized, Q's uncorrelated) tilts along Qr - lam Qc, which attains lam / sqrt(1 + lam^2) of the
    largest decrease: the fraction is that function of the pressure. Below zero it lets cost grow.
    """
    return mean_cost - pressure / jnp.sqrt(1 + pressure**2) * attainable
