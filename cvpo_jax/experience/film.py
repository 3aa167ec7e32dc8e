"""Whole episodes of a policy, as pictures or as numbers to draw from, in compiled environments and on the host.

Notation: T steps, C constraints, F pictures, H, W pixels, O observation size, A action dimensions.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import jax
import jax.numpy as jnp
import numpy as np

import envs
from envs import RenderingError
from envs.adapters import mujoco_frames
from envs.base import SafeEnv, State
from envs.navigation import render
from envs.navigation.canvas import caption
from envs.navigation.picture_files import fitted
from envs.navigation.tracks import tracks

Policy = Callable[..., jax.Array]
INK, RED = (40, 40, 40, 255), (214, 40, 40, 255)
MOMENTS = 6
"""Pictures of an episode on a sheet."""


@dataclass(frozen=True)
class Request:
    """What to film."""

    episodes: int
    steps: int | None  # the most of an episode; None: all
    every: int  # steps between pictures
    seed: int
    size: int  # pixels to a side
    purpose: Literal["course", "moments", "page"]  # a page draws by itself what it can, and has its own captions
    camera: str | None = None  # of a MuJoCo model, by its name; None: its first
    constraints: tuple[str, ...] = ()  # cost components; empty: the total cost


@dataclass(frozen=True)
class Film:
    """One episode: its numbers at the start and after each step, and what it looked like."""

    rewards: np.ndarray  # [1 + T], the first is 0
    costs: np.ndarray  # [1 + T, C]
    components: dict[str, np.ndarray]  # cost component -> [1 + T]
    control_step: float  # s
    pictures: np.ndarray = field(default_factory=lambda: np.zeros((0, 1, 1, 3), np.uint8))  # [F, H, W, 3]
    shown: Sequence[int] = ()  # [F], after which step each was taken
    tracks: dict[str, Any] | None = None  # of `envs.navigation.tracks`
    signals: dict[str, np.ndarray] = field(default_factory=dict)  # name -> [1 + T, …], where nothing can be drawn
    undrawn: str = ""  # why

    @property
    def total_return(self) -> float:
        """The return of the episode."""
        return float(self.rewards.sum())

    @property
    def total_cost(self) -> float:
        """The cost of the episode: of several constraints, the first one's."""
        return float(self.costs[:, 0].sum())


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
    """Episodes of `length` steps in a compiled environment.

    Raises RenderingError where it cannot be drawn, but for a page, which then shows signals.
    """
    roll = _make_roll(env, policy, min(request.steps or length, length))
    for number in range(request.episodes):
        states, actions = jax.device_get(roll(jax.random.fold_in(jax.random.PRNGKey(request.seed), number)))
        ended = np.flatnonzero(np.maximum(states.done, states.info["truncation"]))
        count = ended[0] + 1 if ended.size else len(states.done)
        states, actions = jax.tree.map(lambda leaf, count=count: leaf[:count], (states, actions))
        yield _of_states(env, name, states, actions, request)


def _of_states(env: SafeEnv, name: str, states: State, actions: np.ndarray, request: Request) -> Film:
    """The film of an episode's `states`, `[1 + T, …]`."""
    numbers: dict[str, Any] = {
        "rewards": states.reward,
        "costs": states.info["cost"],
        "components": dict(states.info["cost_components"]),
    }
    if isinstance(env, envs.NavigationEnv):
        numbers["control_step"] = env.control_step
        if request.purpose == "page":
            return Film(**numbers, tracks=tracks(env, states))
        if request.purpose == "moments":
            return Film(**numbers, pictures=render.moments(env, states, count=MOMENTS, size=request.size))
        return Film(**numbers, pictures=render.frames(env, states, size=request.size, every=request.every))
    own = env.unwrapped
    film = Film(**numbers, control_step=float(getattr(own, "dt", 0.02)))
    shown = chosen(len(states.reward), request)
    poses = jax.tree.map(lambda leaf: leaf[shown], states.pipeline_state)
    try:
        pictures = mujoco_frames.frames(own, poses, name=name, size=request.size, camera=request.camera)
    except RenderingError as error:
        if request.purpose != "page":
            raise
        return with_signals(film, states.obs, actions, str(error))
    return with_pictures(film, pictures, shown, request)


def _make_roll(env: SafeEnv, policy: Policy, steps: int) -> Callable[[jax.Array], tuple[State, jax.Array]]:
    """A compiled function from a key to the states of an episode's start and first steps, and the actions: `[1 + T]`.

    The first action is 0.
    """

    def step(state: State, _: None) -> tuple[State, tuple[State, jax.Array]]:
        action = policy(state.obs)
        state = env.step(state, action)
        return state, (state, action)

    def roll(key: jax.Array) -> tuple[State, jax.Array]:
        start = env.reset(key)
        _, others = jax.lax.scan(step, start, None, length=steps)
        first = start, jnp.zeros(env.action_size)
        return jax.tree.map(lambda first, others: jnp.concatenate([first[None], others]), first, others)

    return jax.jit(roll)


def on_host(env: FilmedEnv, control_step: float, policy: Policy, request: Request, undrawn: str = "") -> Iterator[Film]:
    """Episodes in an environment that draws itself, unless `undrawn` says why not; it is closed at the end."""
    try:
        for number in range(request.episodes):
            shots = _Shots(env, request, undrawn)
            yield _filmed(env, control_step, policy, shots, request.seed + number)
    finally:
        env.close()


class _Shots:
    """The pictures that an environment draws of itself along an episode."""

    def __init__(self, env: FilmedEnv, request: Request, undrawn: str) -> None:
        self.request, self.undrawn = request, undrawn
        self._env = env
        self._pictures: list[np.ndarray] = []
        self._shown: list[int] = []

    def look(self, count: int, over: bool = False) -> None:
        """Draw what there is after `count` steps, if it is wanted; raises RenderingError, but for a page."""
        start = count == 0 and self.request.purpose == "course"
        if self.undrawn or start or not (over or count % self.request.every == 0):
            return
        try:
            self._pictures.append(fitted(np.asarray(self._env.render()), self.request.size))
            self._shown.append(count)
        except RenderingError as error:
            if self.request.purpose != "page":
                raise
            self.undrawn = str(error)

    def of(self, film: Film) -> Film:
        """`film` with these pictures."""
        wanted = list(range(len(self._shown)))
        if self.request.purpose == "moments":
            wanted = np.linspace(0, wanted[-1], MOMENTS, dtype=int).tolist()
        pictures = np.stack([self._pictures[index] for index in wanted])
        return with_pictures(film, pictures, [self._shown[index] for index in wanted], self.request)


def _filmed(env: FilmedEnv, control_step: float, policy: Policy, shots: _Shots, seed: int) -> Film:
    """The film of the episode of `seed`."""
    observations, actions, steps = [env.reset(seed)], [np.zeros(env.spec.action_size)], []
    shots.look(0)
    last = shots.request.steps or env.spec.episode_length
    for count in range(1, last + 1):
        actions.append(np.asarray(policy(np.float32(observations[-1]))))
        steps.append(env.step(actions[-1]))
        observations.append(steps[-1].observation)
        over = steps[-1].terminated or steps[-1].truncated or count == last
        shots.look(count, over)
        if over:
            break
    names = env.spec.component_names
    parts = np.array([np.zeros(len(names)), *(step.components for step in steps)])
    components = dict(zip(names, parts.T, strict=True))
    totals = np.array([0.0, *(step.cost for step in steps)])
    costs = np.stack([components[name] for name in shots.request.constraints] or [totals], 1)
    film = Film(np.array([0.0, *(step.reward for step in steps)]), costs, components, control_step)
    if shots.undrawn:
        return with_signals(film, np.stack(observations), np.stack(actions), shots.undrawn)
    return shots.of(film)


def chosen(length: int, request: Request) -> list[int]:
    """Which of `length` states to draw."""
    if request.purpose == "moments":
        return np.linspace(0, length - 1, MOMENTS, dtype=int).tolist()
    every = range(0, length, request.every)
    return sorted({*every, length - 1}) if request.purpose == "page" else list(every)


def with_pictures(film: Film, pictures: np.ndarray, shown: Sequence[int], request: Request) -> Film:
    """`film` with pictures, uint8 `[F, H, W, 3]`, of the steps `shown`, with captions unless they are for a page."""
    if request.purpose != "page":
        returns, costs = np.cumsum(film.rewards), np.cumsum(film.costs[:, 0])
        captioned = []
        for picture, step in zip(pictures, shown, strict=True):
            words = [
                (f"step {step}   return {returns[step]:.2f}", INK),
                (f"cost {costs[step]:g}", RED if film.costs[step, 0] > 0 else INK),
            ]
            captioned.append(caption(picture, words))
        pictures = np.stack(captioned)
    return Film(film.rewards, film.costs, film.components, film.control_step, pictures, shown)


def with_signals(film: Film, observations: np.ndarray, actions: np.ndarray, undrawn: str) -> Film:
    """`film` with observations `[1 + T, O]` and actions `[1 + T, A]` in place of what cannot be drawn."""
    signals = {"action": actions, "observation": observations}
    return Film(film.rewards, film.costs, film.components, film.control_step, signals=signals, undrawn=undrawn)
