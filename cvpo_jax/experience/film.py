"""Whole episodes of a policy as pictures: in compiled environments and in those of worker processes.

Notation: T steps, F pictures, H, W pixels.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

import envs
from envs.adapters import mujoco_frames
from envs.base import SafeEnv, State
from envs.navigation import render
from envs.navigation.canvas import caption
from envs.navigation.picture_files import fitted

Policy = Callable[..., jax.Array]
INK, RED = (40, 40, 40, 255), (214, 40, 40, 255)


@dataclass(frozen=True)
class Request:
    """What to film."""

    episodes: int
    steps: int | None  # the most of an episode; None: all
    every: int  # steps between pictures
    seed: int
    size: int  # pixels to a side
    still: bool  # one picture of the end instead of the course
    camera: str | None = None  # of a MuJoCo model, by its name; None: its first


class Film(NamedTuple):
    """Pictures of one episode, and what it came to."""

    pictures: np.ndarray  # uint8 [F, H, W, 3]
    total_return: float
    cost: float
    control_step: float  # s


class FilmedEnv(Protocol):
    """An environment on the host that draws itself: a `HostEnv` with pictures."""

    spec: Any

    def reset(self, seed: int) -> np.ndarray:
        """Begin the episode of `seed`."""

    def step(self, action: np.ndarray) -> Any:
        """Make one step."""

    def render(self) -> np.ndarray:
        """A picture, uint8 `[H, W, 3]`."""

    def close(self) -> None:
        """Give back what it holds."""


def in_compiled(env: SafeEnv, name: str, length: int, policy: Policy, request: Request) -> Iterator[Film]:
    """Episodes of `length` steps in a compiled environment; raises RenderingError where it cannot be drawn.

    Of a navigation task a still shows the robot's whole way.
    """
    roll = _make_roll(env, policy, min(request.steps or length, length))
    for number in range(request.episodes):
        states = jax.device_get(roll(jax.random.fold_in(jax.random.PRNGKey(request.seed), number)))
        ended = np.flatnonzero(np.maximum(states.done, states.info["truncation"]))
        states = jax.tree.map(lambda leaf, end=ended[0] + 1 if ended.size else None: leaf[:end], states)
        pictures, control_step = _pictures(env, name, states, request)
        cost = states.info["cost"][:, 0].sum()
        yield Film(pictures, float(states.reward.sum()), float(cost), control_step)


def _pictures(env: SafeEnv, name: str, states: State, request: Request) -> tuple[np.ndarray, float]:
    """Pictures of an episode's states, and the seconds between two of these."""
    if isinstance(env, envs.NavigationEnv):
        if request.still:
            return render.picture(env, states, size=request.size)[None], env.control_step
        return render.frames(env, states, size=request.size, every=request.every), env.control_step
    own = env.unwrapped
    wanted: dict[str, Any] = {"size": request.size, "every": request.every, "camera": request.camera}
    pictures = mujoco_frames.frames(own, states.pipeline_state, name=name, **wanted)
    return pictures[-1:] if request.still else pictures, float(getattr(own, "dt", 0.02))


def _make_roll(env: SafeEnv, policy: Policy, steps: int) -> Callable[[jax.Array], State]:
    """A compiled function from a key to an episode's start and its first `steps` states, `[1 + T]`."""

    def step(state: State, _: None) -> tuple[State, State]:
        state = env.step(state, policy(state.obs))
        return state, state

    def roll(key: jax.Array) -> State:
        start = env.reset(key)
        _, states = jax.lax.scan(step, start, None, length=steps)
        return jax.tree.map(lambda first, others: jnp.concatenate([first[None], others]), start, states)

    return jax.jit(roll)


def on_host(env: FilmedEnv, control_step: float, policy: Policy, request: Request) -> Iterator[Film]:
    """Episodes in an environment that draws itself, which is closed at the end."""
    try:
        for number in range(request.episodes):
            yield _filmed(env, control_step, policy, request, request.seed + number)
    finally:
        env.close()


def _filmed(env: FilmedEnv, control_step: float, policy: Policy, request: Request, seed: int) -> Film:
    observation, total, cost, pictures = env.reset(seed), 0.0, 0.0, []
    last = request.steps or env.spec.episode_length
    for count in range(1, last + 1):
        step = env.step(np.asarray(policy(np.float32(observation))))
        observation, total, cost = step.observation, total + step.reward, cost + step.cost
        over = step.terminated or step.truncated or count == last
        if over or (not request.still and count % request.every == 0):
            words = [(f"step {count}   return {total:.2f}", INK), (f"cost {cost:g}", RED if step.cost else INK)]
            pictures.append(caption(fitted(np.asarray(env.render()), request.size), words))
        if over:
            break
    return Film(np.stack(pictures), total, cost, control_step)
