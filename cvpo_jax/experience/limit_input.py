"""The limit as an input: the last feature of an observation, where one training is held to several (`algo.limits`).

Networks, replay and observation statistics take it as any other feature. Environment i is held to the limit at i mod M.

Notation: N environments, M limits, O observation size without the limit.
"""

import jax
import jax.numpy as jnp
import numpy as np

from cvpo_jax.algorithm.state import StaticConfig
from cvpo_jax.config import ConfigError
from cvpo_jax.experience.rollout import deployed_envs, deterministic_envs
from envs import VectorEnv
from envs.base import State


def limit_feature(limit: np.ndarray | float) -> np.ndarray:
    """What a limit is to the networks: its logarithm, on which limits from 1 to 100 are evenly spread, finite at 0."""
    return np.log1p(np.asarray(limit, np.float32))


class LimitInput:
    """`env` with the feature of each environment's limit behind its observation."""

    def __init__(self, env: VectorEnv, limits: tuple[float, ...]) -> None:
        self.env = env
        self.num_envs = env.num_envs
        self.observation_size = env.observation_size + 1
        self.action_size = env.action_size
        self.episode_length = env.episode_length
        self.cost_names = env.cost_names
        self.num_constraints = env.num_constraints
        self.reward_scale = env.reward_scale
        self._feature = limit_feature(np.resize(np.array(limits), env.num_envs))[:, None]  # [N, 1]

    def reset(self, key: jax.Array) -> State:
        """Return the states of N new episodes."""
        return self._told(self.env.reset(key))

    def step(self, state: State, action: jax.Array) -> State:
        """Step all environments by `action` `[N, A]`."""
        return self._told(self.env.step(state.replace(obs=state.obs[:, :-1]), action))

    def _told(self, state: State) -> State:
        """`state` whose observations `[N, O]` end with the feature."""
        return state.replace(obs=jnp.concatenate([state.obs, self._feature.astype(state.obs.dtype)], 1))


def require_equal_shares(static: StaticConfig, num_envs: int, num_devices: int) -> None:
    """Raise ConfigError unless each of several limits has as many of a device's `num_envs` environments, by any actor.

    The first of them act by a mean (`rollout.act`), so that a limit without one of those would not be measured.
    """
    count = len(static.algo.limits)
    by_mean, deployed = deterministic_envs(static, num_envs), deployed_envs(static, num_envs)
    if not count or not any(number % count for number in (num_envs, by_mean, deployed)):
        return
    where = f"{num_envs} on each of {num_devices} devices" if num_devices > 1 else f"{num_envs}"
    raise ConfigError(
        f"--env.num_envs is {num_envs * num_devices}: {where}, {by_mean} that act by a mean and {deployed} by the "
        f"average policy, cannot be shared equally by {count} limits; take a multiple of {4 * count * num_devices}, "
        "which with --algo.deterministic_share 0.5 can"
    )
