"""A cost for an environment of Brax or MuJoCo Playground that has none."""

from typing import Any

import jax
import jax.numpy as jnp

from envs.adapters.costs import CostFunction, as_info


class CompiledCost:
    """`env` with `info["cost"]`, and components if `fn` returns a dictionary, in every state."""

    def __init__(self, env: Any, fn: CostFunction) -> None:
        self.env = env
        self._fn = fn

    def __getattr__(self, name: str) -> Any:
        if name == "env":  # not yet there, while it is unpickled
            raise AttributeError(name)
        return getattr(self.env, name)

    @property
    def observation_size(self) -> Any:
        """Of the wrapped environment."""
        return self.env.observation_size

    @property
    def action_size(self) -> int:
        """Of the wrapped environment."""
        return self.env.action_size

    def reset(self, rng: jax.Array) -> Any:
        """Begin an episode, at no cost."""
        state = self.env.reset(rng)
        costs = jax.eval_shape(self._costs, state.obs, jnp.zeros(self.action_size), state.obs, state.info)
        return state.replace(info=state.info | jax.tree.map(lambda cost: jnp.zeros(cost.shape, cost.dtype), costs))

    def step(self, state: Any, action: jax.Array) -> Any:
        """Make one step, and add its cost to the info."""
        before = jax.tree.map(lambda value: value, state.obs)  # containers of its own, lest the step changes them
        stepped = self.env.step(state, action)
        return stepped.replace(info=stepped.info | self._costs(before, action, stepped.obs, stepped.info))

    def _costs(self, before: Any, action: jax.Array, after: Any, info: dict[str, Any]) -> dict[str, jax.Array]:
        return {
            name: jnp.asarray(cost, jnp.float32)
            for name, cost in as_info(self._fn(before, action, after, info)).items()
        }
