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


def _describe(name: str, values: np.ndarray) -> dict[str, float]:
    quantiles = {f"{name}_q{q}": float(np.quantile(values, q / 100)) for q in (10, 50, 90)}
    return {f"{name}_mean": float(values.mean()), f"{name}_std": float(values.std())} | quantiles
