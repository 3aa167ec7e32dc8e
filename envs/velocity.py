"""Velocity tasks: Brax's locomotion environments, in which moving faster than a limit costs.

The limits, and the velocities they bound, are those of Safety-Gymnasium 1.0 (`safe_velocity/*_v1.py`). The bodies are
Brax's own, on MuJoCo MJX, so that returns differ somewhat from Gymnasium's.

Notation: A action dimensions, C constraints.
"""

import envs._mjx  # noqa: F401  (first: it keeps the import of Brax quiet)

# isort: split
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import brax.envs
import jax
import jax.numpy as jnp
from brax.envs import PipelineEnv
from brax.envs.swimmer import Swimmer
from brax.io import mjcf
from flax import struct

from envs.base import Env, State, WrappedEnv

COST = "cost_velocity"


@dataclass(frozen=True)
class Limit:
    """A speed limit (m/s) on a Brax environment: on its planar speed, or on its forward velocity."""

    brax_name: str
    speed: float
    planar: bool = False


LIMITS = {
    "Ant": Limit("ant", 2.6222, planar=True),
    "HalfCheetah": Limit("halfcheetah", 3.2096),
    "Hopper": Limit("hopper", 0.7402),
    "Humanoid": Limit("humanoid", 1.4149, planar=True),
    "Swimmer": Limit("swimmer", 0.2282),
    "Walker2d": Limit("walker2d", 2.3415),
}


class MjxSwimmer(Swimmer):
    """Brax's Swimmer on MJX, which its own constructor refuses; Brax's generalized pipeline fails with JAX 0.10."""

    def __init__(self) -> None:
        system = mjcf.load(Path(brax.envs.__file__).parent / "assets" / "swimmer.xml")
        PipelineEnv.__init__(self, sys=system, backend="mjx", n_frames=4)
        self._forward_reward_weight = 1.0
        self._ctrl_cost_weight = 1e-4
        self._reset_noise_scale = 0.1
        self._exclude_current_positions_from_observation = True


class Moving(struct.PyTreeNode):
    """Brax's own state, and the steps since the reset."""

    physics: Any
    steps: jax.Array  # int32 []


class VelocityEnv(WrappedEnv):
    """`env` with a cost of 1 in every step in which its body exceeds `limit`; C = 1."""

    cost_names = (COST,)
    constraints = (COST,)

    def __init__(self, env: Env, limit: Limit, *, episode_length: int = 1000) -> None:
        super().__init__(env)
        self._limit = limit
        self.episode_length = episode_length

    def reset(self, rng: jax.Array) -> State:
        """Begin an episode."""
        state = self._env.reset(rng)
        moving = Moving(physics=state.pipeline_state, steps=jnp.int32(0))
        zero = jnp.zeros_like(state.reward)
        return state.replace(pipeline_state=moving, info=state.info | _info(zero, zero))

    def step(self, state: State, action: jax.Array) -> State:
        """Make one env step under `action` `[A]`."""
        moving: Moving = state.pipeline_state
        stepped = self._env.step(state.replace(pipeline_state=moving.physics), action)
        steps = moving.steps + 1
        cost = (self._speed(stepped.metrics) > self._limit.speed).astype(stepped.reward.dtype)
        truncation = ((steps >= self.episode_length) & (stepped.done == 0)).astype(stepped.reward.dtype)
        return stepped.replace(
            pipeline_state=Moving(physics=stepped.pipeline_state, steps=steps),
            info=stepped.info | _info(cost, truncation),
        )

    def _speed(self, metrics: dict[str, jax.Array]) -> jax.Array:
        if self._limit.planar:
            return jnp.sqrt(jnp.square(metrics["x_velocity"]) + jnp.square(metrics["y_velocity"]))
        return metrics["x_velocity"]


def make(name: str, *, episode_length: int = 1000) -> VelocityEnv:
    """The velocity task of the body `name`, such as "Hopper"."""
    limit = LIMITS[name]
    env = MjxSwimmer() if name == "Swimmer" else brax.envs.get_environment(limit.brax_name, backend="mjx")
    return VelocityEnv(env, limit, episode_length=episode_length)


def _info(cost: jax.Array, truncation: jax.Array) -> dict[str, Any]:
    return {"cost": cost[None], "cost_components": {COST: cost}, "truncation": truncation}
