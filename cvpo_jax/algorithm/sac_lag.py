"""SAC-Lagrangian, to compare with: soft actor-critic whose reward critics are charged lam times the cost critics.

    maximize  E[ min Qr(s, a) - sum_c lam_c Qc(s, a) + alpha H(pi(. | s)) ],  a ~ pi(. | s)

by gradients through the sampled actions (Haarnoja et al. 2018, arXiv 1812.05905, equation 9, with the Lagrangian of
Ha et al. 2020, arXiv 2002.08550). The temperature alpha keeps the entropy near its target (equation 18 there). Critics,
policy network, replay, measured cost and all else are those of CVPO; `state.duals` holds alpha and lam.

Notation: B states over all devices, b of them on this one, A action dimensions, C constraints. With several limits the
multipliers, and what is computed for the states of each limit, have a leading axis M.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from cvpo_jax.algorithm import critics, limits
from cvpo_jax.algorithm.cost_metrics import cost_metrics
from cvpo_jax.algorithm.estep import Duals
from cvpo_jax.algorithm.gaussian import entropy
from cvpo_jax.algorithm.optimizer import make_optimizer
from cvpo_jax.algorithm.state import Batch, Metrics, Params, StaticConfig, TrainState
from cvpo_jax.runtime import devices

TARGET_ENTROPY = -0.5
"""Nats for each action dimension: a standard deviation of 0.15, between the policy's bounds of 0.1 and 0.4."""
MULTIPLIER_RATE = 1e-3
"""Step of plain dual ascent for each update, at a cost of twice the limit."""
MAX_LAM, MAX_TEMPERATURE = 100.0, 10.0


def soft_batch(state: TrainState, batch: Batch) -> Batch:
    """The batch with what the entropy of the policy where bootstrapping begins adds to reward."""
    policy = state.static.actor.apply(state.actor, batch.next_observation)
    return batch.replace(reward=batch.reward + batch.discount * state.duals.eta * entropy(policy))


def update_policy(state: TrainState, batch: Batch, key: jax.Array, axis_name: str | None) -> tuple[TrainState, Metrics]:
    """One gradient step on the policy, one on the temperature, and the multipliers `[C]` for the next update."""
    observation = batch.policy_observation
    shape = (observation.shape[0] * devices.count(axis_name), state.static.action_size)
    noise = devices.shard(jax.random.normal(key, shape), axis_name)
    static, lam = state.static, state.duals.lam
    policy = static.actor.apply(state.actor, observation)
    values, slopes = (
        of_all.by_limit(static) for of_all in _values_and_slopes(state, observation, policy.sample(noise))
    )
    # Divided as OmniSafe and FSRL do, so that a large multiplier does not make large steps.
    share = 1 / (1 + lam.sum(-1))

    gain = limits.each(static, partial(_gain, state.duals.eta))

    def loss(params: Params) -> jax.Array:
        policy = static.actor.apply(params, observation)
        of_states = (limits.split(static, x) for x in (policy.sample(noise), entropy(policy)))
        return -jnp.mean(gain(lam, share, slopes, *of_states))

    gradients, value, mean_cost, mean_entropy, scale = devices.pmean(
        (
            jax.grad(loss)(state.actor),
            limits.each(static, lambda lam, values: jnp.mean(values.reward - lam @ values.costs))(lam, values),
            values.costs.mean(-1),
            entropy(policy).mean(),
            policy.scale.mean(),
        ),
        axis_name,
    )
    updates, optimizer = make_optimizer(state.hyperparameters.actor_lr).update(gradients, state.actor_optimizer)
    spread = _spread(slopes, axis_name)
    metrics = limits.named(static, limits.for_each(state, cost_metrics, mean_cost, lam, spread)) | {
        "sac/temperature": state.duals.eta,
        "sac/entropy": mean_entropy,
        "sac/loss": -jnp.mean(share * (value + state.duals.eta * mean_entropy)),
        "policy/scale": scale,
    }
    duals = Duals(eta=_temperature(state, mean_entropy), lam=_multipliers(state, spread))
    actor = optax.apply_updates(state.actor, updates)
    return state.replace(actor=actor, actor_optimizer=optimizer, duals=duals), metrics


def _gain(
    eta: jax.Array, lam: jax.Array, share: jax.Array, slopes: "OfCritics", action: jax.Array, entropies: jax.Array
) -> jax.Array:
    """What actions `[b, A]` of these entropies `[b]` gain, `[]`, as far as one gradient step sees it.

    As steep as the critics at the sampled actions, which is all that it sees of them.
    """
    gains = jnp.sum(action * (slopes.reward - jnp.tensordot(lam, slopes.costs, 1)), -1)
    return share * jnp.mean(gains + eta * entropies)


class OfCritics(NamedTuple):
    """Something of the critics for reward and for each cost."""

    reward: jax.Array  # [b, …]
    costs: jax.Array  # [C, b, …]

    def by_limit(self, static: StaticConfig) -> "OfCritics":
        """The same for the states of each limit: `[M, b / M, …]` and `[M, C, b / M, …]`."""
        return OfCritics(limits.split(static, self.reward), limits.split(static, self.costs, axis=1))


def _values_and_slopes(state: TrainState, observation: jax.Array, action: jax.Array) -> tuple[OfCritics, OfCritics]:
    """Values of actions `[b, A]`, and their gradients by the action."""
    static = state.static

    def value(action: jax.Array) -> OfCritics:
        values = static.critics.apply(state.critics, observation, jnp.clip(action, -1, 1))
        return OfCritics(
            *critics.aggregate(values, static.num_constraints, static.algo.cost_aggregate, static.algo.reward_critics)
        )

    values, pull = jax.vjp(value, action)
    none, one = jax.tree.map(jnp.zeros_like, values), jax.tree.map(jnp.ones_like, values)
    of_reward = pull(none._replace(reward=one.reward))[0]
    of_costs = [pull(none._replace(costs=none.costs.at[index].set(1)))[0] for index in range(static.num_constraints)]
    return values, OfCritics(of_reward, jnp.stack(of_costs))


def _spread(slopes: OfCritics, axis_name: str | None) -> jax.Array:
    """How much cost changes with the action relative to reward, `[C]`: root mean squares of the gradients."""
    squares = jnp.mean(slopes.reward**2, (-2, -1)), jnp.mean(slopes.costs**2, (-2, -1))
    of_reward, of_costs = devices.pmean(squares, axis_name)
    return jnp.sqrt(of_costs / (of_reward[..., None] + 1e-12))


def _temperature(state: TrainState, mean_entropy: jax.Array) -> jax.Array:
    """The next temperature `[]`, lower where the policy's entropy `[]` is above its target."""
    excess = mean_entropy - TARGET_ENTROPY * state.static.action_size
    return jnp.minimum(state.duals.eta * jnp.exp(-state.hyperparameters.actor_lr * excess), MAX_TEMPERATURE)


def _multipliers(state: TrainState, spread: jax.Array) -> jax.Array:
    """The next multipliers `[C]`.

    With `limit_mode` "measured" those of a PID controller (Stooke et al. 2020): the pressure of CVPO's, in units of the
    gradients. With "paper" those of plain dual ascent on the measured cost, which knows neither units nor trend.
    """
    if state.static.algo.limit_mode == "measured":
        pressure = limits.for_each(state, lambda one: one.limit_controller.pressure(one.controller))
        return jnp.minimum(jnp.maximum(pressure, 0) / (spread + 1e-6), MAX_LAM)
    limit = state.hyperparameters.cost_limit
    cost = state.controller.fast.episode_cost(state.static.episode_length)
    ascent = MULTIPLIER_RATE * (cost - limit) / jnp.maximum(limit, 1e-3)
    return jnp.clip(state.duals.lam + ascent, 0, MAX_LAM)
