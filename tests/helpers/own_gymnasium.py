"""Environments of Gymnasium as users write them, good ones and bad ones, named as `own_gymnasium:Name`."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

import envs

LENGTH = 6
SAME_STEP = "SameStep" if hasattr(gymnasium.vector, "AutoresetMode") else ""  # before Gymnasium 1.1 there was one way
SPACES = {
    "box": spaces.Box(-np.inf, np.inf, (2,), np.float32),
    "matrix": spaces.Box(-1, 1, (2, 3), np.float32),
    "dict": spaces.Dict({"b": spaces.Box(-1, 1, (2,)), "a": spaces.Discrete(3)}),
    "tuple": spaces.Tuple([spaces.Box(-1, 1, (2,)), spaces.MultiBinary(2)]),
    "picture": spaces.Box(0, 255, (8, 8, 3), np.uint8),
    "gray": spaces.Dict({"camera": spaces.Box(0, 255, (8, 8), np.uint8), "speed": spaces.Box(-1, 1, (1,))}),
    "words": spaces.Sequence(spaces.Discrete(3)),
    "nothing": None,
}
ACTIONS = {
    "box": spaces.Box(np.array([-1.0, 0.0], np.float32), np.array([3.0, 10.0], np.float32)),
    "matrix": spaces.Box(-2, 2, (2, 2), np.float32),
    "infinite": spaces.Box(np.array([-np.inf, 0], np.float32), np.array([np.inf, 1], np.float32)),
    "discrete": spaces.Discrete(3),
    "whole": spaces.Box(0, 5, (2,), np.int32),
}


class Toy(gymnasium.Env):
    """Counts its steps, pays the sum of its actions and costs as told; in its third step it does what `fault` says."""

    def __init__(
        self, observation: str = "box", action: str = "box", costs: str = "cost", fault: str = "", ends: int = 10**9
    ) -> None:
        self.observation_space, self.action_space = SPACES[observation], ACTIONS[action]
        self._kind, self._costs, self._fault, self._ends = observation, costs, fault, ends
        self.taken: list[Any] = []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self._count, self._noise = 0, self.np_random.uniform()
        return self._observe() if self._fault == "reset" else (self._observe(), {"seed": seed})

    def step(self, action: Any) -> Any:
        self.taken.append(action)
        self._count += 1
        late = self._count > 2 + 20 * (self._fault.startswith("late "))  # of the probe, or after it
        fault = self._fault.removeprefix("late ") if late else ""
        reward = float("inf") if fault == "reward" else float(np.sum(action))
        if fault == "random":
            reward += np.random.uniform()
        info = self._info(fault)
        observation = np.zeros(5, np.float32) if fault == "shape" else self._observe()
        if fault == "nan":
            observation = np.full_like(observation, np.nan)
        if fault == "raise":
            raise ArithmeticError("the toy was told to raise")
        if fault == "leave":
            raise SystemExit("the toy leaves")
        ended = None if fault == "flag" else self._count >= self._ends
        if fault == "four":
            return observation, reward, ended, info
        if self._costs == "six":
            return observation, reward, 2.0, ended, False, info
        return observation, reward, ended, False, info

    def _info(self, fault: str) -> dict[str, Any]:
        costs = {
            "cost": {"cost": 1.0},
            "parts": {"cost_b": 0.5, "cost_a": np.float32(self._count % 2)},
            "both": {"cost": 5.0, "cost_a": 1, "cost_sum": 7.0, "cost_map": np.zeros(3)},
        }.get(self._costs, {})
        if fault == "missing":
            return {}
        bad = {"negative": -2.0, "infinite": np.inf, "word": "much"}.get(fault)
        return costs if bad is None else dict.fromkeys(costs, bad)

    def _observe(self) -> Any:
        now = np.array([self._noise, self._count], np.float32)
        samples = {
            "box": now,
            "matrix": np.full((2, 3), self._noise, np.float32),
            "dict": {"a": self._count % 3, "b": np.clip(now, -1, 1)},
            "tuple": (np.clip(now, -1, 1), np.array([1, 0], np.int8)),
        }
        return samples.get(self._kind, now)

    def render(self) -> np.ndarray:
        return np.zeros((4, 4, 3), np.uint8)


class Drawn(Toy):
    """A toy twice as wide as it is high, or what `drawn` says."""

    def __init__(self, drawn: Any = None, **options: Any) -> None:
        super().__init__(**options)
        self.metadata, self._drawn = {"render_modes": ["rgb_array"], "render_fps": 10}, drawn

    def render(self) -> Any:
        return np.full((50, 100, 3), 200, np.uint8) if self._drawn is None else self._drawn


def toy(limit: int | None = LENGTH, **options: Any) -> gymnasium.Env:
    """A toy with a time limit."""
    env = Toy(**options)
    return env if limit is None else gymnasium.wrappers.TimeLimit(env, limit)


def pendulum(limit: float = 4.0) -> gymnasium.Env:
    """Gymnasium's pendulum with a speed limit."""
    return envs.with_cost(gymnasium.make("Pendulum-v1"), lambda _, action, after, info: abs(after[2]) > limit)


def pendulum_parts() -> gymnasium.Env:
    """The same with two components."""

    def parts(before: Any, action: Any, after: Any, info: Any) -> dict[str, float]:
        return {"speed": abs(after[2]), "turned": abs(after[2] - before[2])}

    return envs.with_cost(gymnasium.make("Pendulum-v1"), parts)


def cheetah() -> gymnasium.Env:
    """Gymnasium's cheetah with a speed limit, on what MuJoCo tells in info."""
    env = gymnasium.make("HalfCheetah-v5")
    return envs.with_cost(env, lambda before, action, after, info: float(info["x_velocity"] > 1))


def vector(num_envs: int, mode: str = SAME_STEP, limit: int | None = LENGTH, ends: int = 10**9, **options: Any) -> Any:
    """Toys side by side, as Gymnasium makes them; those of odd number end by themselves after `ends` steps."""

    def make(row: int) -> Any:
        return lambda: toy(limit, ends=ends if row % 2 else 10**9, **options)

    more = {"autoreset_mode": gymnasium.vector.AutoresetMode(mode)} if mode else {}
    return gymnasium.vector.SyncVectorEnv([make(row) for row in range(num_envs)], **more)


gymnasium.register(id="OwnToy-v0", entry_point=Toy, max_episode_steps=LENGTH)
ready = Toy()


def broken() -> None:
    """A maker that raises."""
    raise RuntimeError("no license\nfor the simulator")


def forgot() -> None:
    """A maker that returns nothing."""


def number() -> int:
    """A maker of something else."""
    return 3


def no_instance() -> type:
    """A maker that returns the class."""
    return Toy
