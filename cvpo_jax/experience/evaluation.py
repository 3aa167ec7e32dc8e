"""Whole episodes of a policy: return and cost of each.

Notation: E episodes, C constraints, T episode length.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from cvpo_jax.algorithm.state import TrainState
from cvpo_jax.algorithm.update import normalize_observation
from cvpo_jax.config.names import metric_name
from envs import VectorEnv


class EvaluationResult(struct.PyTreeNode):
    """What E episodes came to."""

    returns: jax.Array  # [E]
    costs: jax.Array  # [E, C]


def make_evaluation(env: VectorEnv, *, stochastic: bool) -> Callable[[TrainState, jax.Array], EvaluationResult]:
    """A compiled function from a state and a key to one whole episode of each environment of `env`.

    Every episode is run for T steps; what follows a termination within them belongs to no episode and is left out.
    """

    def evaluate(state: TrainState, key: jax.Array) -> EvaluationResult:
        _, key_actions = jax.random.split(key)

        def step(carry: tuple, key: jax.Array) -> tuple[tuple, None]:
            env_state, alive, returns, costs = carry
            policy = state.static.actor.apply(state.average_actor, normalize_observation(state, env_state.obs))
            noise = jax.random.normal(key, policy.mean.shape) if stochastic else jnp.zeros_like(policy.mean)
            env_state = env.step(env_state, jnp.clip(policy.sample(noise), -1, 1))
            returns += alive * env_state.reward
            costs += alive[:, None] * env_state.info["cost"]
            alive *= 1 - jnp.maximum(env_state.done, env_state.info["truncation"])
            return (env_state, alive, returns, costs), None

        count = env.num_envs
        carry = (env.reset(reset_key(key)), jnp.ones(count), jnp.zeros(count), jnp.zeros((count, env.num_constraints)))
        (_, _, returns, costs), _ = jax.lax.scan(step, carry, jax.random.split(key_actions, env.episode_length))
        return EvaluationResult(returns, costs)

    return jax.jit(evaluate)


def reset_key(key: jax.Array) -> jax.Array:
    """What the environments of an evaluation with `key` are reset with."""
    return jax.random.split(key)[0]


def summarize(episodes: EvaluationResult, limits: tuple[float, ...]) -> dict[str, float]:
    """Mean, standard deviation and quantiles of return and cost, and the cost relative to its limit."""
    row = _describe("return", np.asarray(episodes.returns))
    costs = np.asarray(episodes.costs)
    for index, limit in enumerate(limits):
        named = partial(metric_name, index=index, count=len(limits))
        row |= _describe(named("cost"), costs[:, index])
        row[named("cost_limit")] = limit
        row[named("cost_over_limit")] = float(costs[:, index].mean() / limit) if limit else float("inf")
    return row


def summarize_each(episodes: EvaluationResult, limits: tuple[float, ...]) -> dict[str, float]:
    """The same over all, and for each of several limits with its index in the names; episode e is of that at e mod M.

    Over all, the limit is the mean of all, and the cost relative to the limit that of the limit where it is highest.
    """
    returns, costs = np.asarray(episodes.returns), np.asarray(episodes.costs)
    of_each: dict[str, float] = {}
    for index, limit in enumerate(limits):
        named = partial(metric_name, index=index, count=len(limits))
        of_each |= _describe(named("return"), returns[index :: len(limits)])
        cost = costs[index :: len(limits), 0]
        of_each |= _describe(named("cost"), cost)
        of_each[named("cost_limit")] = limit
        of_each[named("cost_over_limit")] = float(cost.mean() / limit) if limit else float("inf")
    worst = max(of_each[metric_name("cost_over_limit", index, len(limits))] for index in range(len(limits)))
    row = _describe("return", returns) | _describe("cost", costs[:, 0])
    return row | {"cost_limit": float(np.mean(limits)), "cost_over_limit": worst} | of_each


def _describe(name: str, values: np.ndarray) -> dict[str, float]:
    quantiles = {f"{name}_q{q}": float(np.quantile(values, q / 100)) for q in (10, 50, 90)}
    return {f"{name}_mean": float(values.mean()), f"{name}_std": float(values.std())} | quantiles
