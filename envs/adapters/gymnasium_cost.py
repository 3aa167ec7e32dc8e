"""A cost for an environment of Gymnasium that has none."""

from copy import deepcopy
from typing import Any

import gymnasium

from envs.adapters.costs import CostFunction, as_info


class GymnasiumCost(gymnasium.Wrapper):
    """`env` with `info["cost"]`, and components if `fn` returns a dictionary, in every step."""

    def __init__(self, env: gymnasium.Env, fn: CostFunction) -> None:
        super().__init__(env)
        self._fn = fn
        self._observation: Any = None

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        self._observation, info = self.env.reset(**options)
        return self._observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Make one step, and add its cost to the info."""
        before = deepcopy(self._observation)  # the environment may write the next one into it
        self._observation, reward, terminated, truncated, info = self.env.step(action)
        cost = self._fn(before, action, self._observation, info)
        return self._observation, reward, terminated, truncated, info | as_info(cost)
