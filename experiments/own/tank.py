"""A process without robots: follow a demand for water, and overflow in at most 5 of 200 steps.

python -m cvpo_jax.run experiments/own/tank.py
"""

from typing import Any

import gymnasium
import numpy as np

from cvpo_jax import AlgoConfig, Config, EnvConfig, EvalConfig, TrainConfig


class Tank(gymnasium.Env):
    """A pump fills a tank, a demand that drifts empties it; a full tank serves best, and overflows soonest."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (3,), np.float32)
    action_space = gymnasium.spaces.Box(0.0, 2.0, (1,), np.float32)  # inflow, m3 per step

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Half full, under a demand drawn anew."""
        super().reset(seed=seed)
        self.level, self.demand, self.steps = 5.0, self.np_random.uniform(0.5, 1.5), 0
        return self._observe(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Pump `action` in, let the demand out."""
        self.demand = np.clip(self.demand + 0.1 * self.np_random.normal(), 0.2, 1.8)
        level = self.level + float(action[0]) - self.demand + 0.2 * self.np_random.normal()
        overflow = level > 10.0
        self.level, self.steps = np.clip(level, 0.0, 10.0), self.steps + 1
        reward = self.level / 10.0 - 0.05 * float(action[0])  # head of water, less the energy pumped
        return self._observe(), reward, False, self.steps >= 200, {"cost": float(overflow)}

    def _observe(self) -> np.ndarray:
        return np.array([self.level / 10.0, self.demand, self.steps / 200], np.float32)


def get_config() -> Config:
    """Small networks, and an update every 32 steps."""
    return Config(
        env=EnvConfig(id="tank:Tank", num_envs=32, episode_length=200),
        algo=AlgoConfig(cost_limit=5.0, hidden=(64, 64)),
        train=TrainConfig(steps=400_000, updates_per_step=1 / 32),
        eval=EvalConfig(episodes=50, every=2),
    )
