"""What an environment on the host is: one world, stepped in NumPy, which the workers of a pool can run.

Notation: O observation size, A action dimensions, P cost components.
"""

import ctypes.util
import os
import sys
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

GL_REMEDY = "apt-get install libegl1 libgl1-mesa-dri, or set MUJOCO_GL to a renderer that is here (egl, osmesa, glfw)"


class RenderingError(RuntimeError):
    """There is nothing to render with; the message names the remedy."""


def choose_renderer() -> bool:
    """Have MuJoCo draw without a display if there is none, unless MUJOCO_GL says how; returns whether it can draw.

    MuJoCo looks when it is imported, so that this comes before.
    """
    if os.environ.get("MUJOCO_GL") or os.environ.get("DISPLAY") or not sys.platform.startswith("linux"):
        return True
    found = [name for name in ("EGL", "OSMesa") if ctypes.util.find_library(name)]
    if found:
        os.environ["MUJOCO_GL"] = found[0].lower()
    return bool(found)


@dataclass(frozen=True)
class HostSpec:
    """Sizes that all copies of an environment share."""

    observation_size: int
    action_size: int
    episode_length: int
    component_names: tuple[str, ...]
    reward_scale: float | None = None
    """What rewards are multiplied by to be of the size that trainers expect; None: unknown, to be measured."""


class HostStep(NamedTuple):
    """The results of one step."""

    observation: np.ndarray  # [O]
    reward: float
    cost: float  # the total, as the environment itself sums it
    components: np.ndarray  # [P] in the order of HostSpec.component_names
    terminated: bool
    truncated: bool


class HostEnv(Protocol):
    """One environment. Equal seeds and actions must give equal episodes: a lost world is rebuilt by repeating them."""

    spec: HostSpec

    def reset(self, seed: int) -> np.ndarray:
        """Begin the episode of `seed` and return the observation `[O]`."""

    def step(self, action: np.ndarray) -> HostStep:
        """Make one step under `action` `[A]` in [-1, 1]."""


class ContractError(ValueError):
    """An environment returned what it may not; the message, one line, has its name, the value and the remedy.

    Pools raise it at once, as HostError: a new episode of the same environment would not be better.
    """


def episode_seed(seed: int, episode: int) -> int:
    """The seed of an environment's `episode`-th episode: 32 bits, well distributed whatever `seed` is."""
    return int(np.random.SeedSequence((seed, episode)).generate_state(1)[0])
