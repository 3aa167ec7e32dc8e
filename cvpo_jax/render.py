"""Draw episodes of a run's policy: `python -m cvpo_jax.render RUN_DIR [--backend gymnasium] [--output FILE]`.

Those on the port are drawn from above (`envs.navigation.render`), those in the genuine environment filmed by one of
its cameras. Neither needs a display.

Notation: T steps, F pictures, H, W pixels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from cvpo_jax import cli
from cvpo_jax.config import Config, ConfigError
from cvpo_jax.config.sections import Backend

if TYPE_CHECKING:
    import jax

    from cvpo_jax.runs.policy import Policy
    from envs import NavigationEnv
    from envs.base import State
    from envs.safety_gymnasium.env import SafetyGymnasiumEnv

INK, RED = (40, 40, 40, 255), (214, 40, 40, 255)


@dataclass(frozen=True)
class RenderRequest:
    """Draw episodes of a run's policy."""

    run_dir: cli.RunDir
    """The directory of the run."""
    backend: Backend | None = None
    """Where to play; None: the backend it was trained on."""
    output: Path | None = None
    """.gif: the episodes in real time, .png: where they end; None: RUN_DIR/render.gif."""
    episodes: int = 1
    """Episodes, one after the other."""
    steps: int | None = None
    """The most steps of each; None: the whole episode."""
    every: int = 4
    """Draw every so many steps."""
    seed: int = 0
    """Seed of layouts."""
    size: int = 400
    """Pixels to a side."""
    camera: Literal["fixedfar", "fixednear", "track", "vision"] | None = None
    """Of the genuine environment; None: track for velocity tasks, else fixedfar."""

    @property
    def path(self) -> Path:
        """The file to draw to."""
        return self.output or self.run_dir / "render.gif"

    @property
    def still(self) -> bool:
        """Whether to draw one picture of the end instead of the course."""
        return self.path.suffix == ".png"


class RenderedEpisode(NamedTuple):
    """Pictures of one episode, and what it came to."""

    pictures: np.ndarray  # uint8 [F, H, W, 3]
    total_return: float
    cost: float
    control_step: float  # s


def on_port(config: Config, policy: Policy, request: RenderRequest) -> Iterator[RenderedEpisode]:
    """Episodes on the port, drawn from above; a still shows the whole way of its episode."""
    import jax

    from cvpo_jax.training.trainer import make_env
    from envs import CompiledVectorEnv, NavigationEnv
    from envs.navigation import render

    vector = make_env(config, 1)
    env = vector.env if isinstance(vector, CompiledVectorEnv) else None
    if not isinstance(env, NavigationEnv):
        raise ConfigError(f"{config.env.id} cannot be drawn on the port, only navigation can: try --backend gymnasium")
    length = vector.episode_length
    roll = _make_roll(env, policy, min(request.steps or length, length))
    for number in range(request.episodes):
        states = jax.device_get(roll(jax.random.fold_in(jax.random.PRNGKey(request.seed), number)))
        ended = np.flatnonzero(states.done)
        states = jax.tree.map(lambda leaf, end=ended[0] + 1 if ended.size else None: leaf[:end], states)
        pictures = (
            render.picture(env, states, size=request.size)[None]
            if request.still
            else render.frames(env, states, size=request.size, every=request.every)
        )
        yield RenderedEpisode(pictures, float(states.reward.sum()), float(states.info["cost"].sum()), env.control_step)


def _make_roll(env: NavigationEnv, policy: Policy, steps: int) -> Callable[[jax.Array], State]:
    """A compiled function from a key to an episode's start and its first `steps` states, `[1 + T]`."""
    import jax
    import jax.numpy as jnp

    def step(state: State, _: None) -> tuple[State, State]:
        state = env.step(state, policy(state.obs))
        return state, state

    def roll(key: jax.Array) -> State:
        start = env.reset(key)
        _, states = jax.lax.scan(step, start, None, length=steps)
        return jax.tree.map(lambda first, others: jnp.concatenate([first[None], others]), start, states)

    return jax.jit(roll)


def in_genuine(config: Config, policy: Policy, request: RenderRequest) -> Iterator[RenderedEpisode]:
    """Episodes in the genuine environment, filmed by a camera of MuJoCo; raises RenderingError without GL."""
    from envs.safety_gymnasium.env import SafetyGymnasiumEnv

    camera = request.camera or ("track" if "Velocity" in config.env.id else "fixedfar")
    try:
        env = SafetyGymnasiumEnv(
            config.env.id,
            fixed_seed=0 if config.env.layout == "fixed" else None,
            episode_length=config.env.episode_length,
            render_mode="rgb_array",
            camera_name=camera,
            width=request.size,
            height=request.size,
        )
    except (ValueError, ImportError) as error:
        raise ConfigError(f"--env.id {config.env.id} --backend gymnasium: {error}") from error
    try:
        for number in range(request.episodes):
            yield _filmed(env, policy, request, request.seed + number)
    finally:
        env.close()


def _filmed(env: SafetyGymnasiumEnv, policy: Policy, request: RenderRequest, seed: int) -> RenderedEpisode:
    """One episode of the genuine environment."""
    from envs.navigation.canvas import caption

    observation, total, cost, pictures = env.reset(seed), 0.0, 0.0, []
    last = request.steps or env.spec.episode_length
    for count in range(1, last + 1):
        step = env.step(np.asarray(policy(np.float32(observation))))
        observation, total, cost = step.observation, total + step.reward, cost + step.cost
        over = step.terminated or step.truncated or count == last
        if over or (not request.still and count % request.every == 0):
            words = [(f"step {count}   return {total:.2f}", INK), (f"cost {cost:g}", RED if step.cost else INK)]
            pictures.append(caption(env.render(), words))
        if over:
            break
    return RenderedEpisode(np.stack(pictures), total, cost, env.control_step)


def draw(request: RenderRequest) -> None:
    """Draw the latest policy of a run, and print what the episodes came to.

    Raises ConfigError, CheckpointError, and RenderingError where the genuine environment finds no GL library.
    """
    from cvpo_jax.runs import directory
    from cvpo_jax.runs.policy import load_policy
    from envs.navigation import render

    config = directory.load_config(request.run_dir)
    policy = load_policy(request.run_dir)
    backend = request.backend or config.env.backend
    config = dataclasses.replace(config, env=dataclasses.replace(config.env, backend=backend))
    film = on_port if backend == "brax" else in_genuine
    episodes = []
    for number, episode in enumerate(film(config, policy, request)):
        print(f"episode {number}: return {episode.total_return:.2f}, cost {episode.cost:g}")
        episodes.append(episode)
    pictures = np.concatenate([episode.pictures for episode in episodes])
    render.write(request.path, pictures, episodes[0].control_step * request.every)
    print(request.path)


def command(arguments: Sequence[str]) -> None:
    """Draw what the command line asks for."""
    request = cli.read_options(RenderRequest, "render", arguments)
    for name, minimum in (("episodes", 1), ("steps", 1), ("every", 1), ("size", 64)):
        value = getattr(request, name)
        if value is not None and value < minimum:
            raise ConfigError(f"--{name} is {value}: at least {minimum} is needed")
    from cvpo_jax.runtime import compilation_cache
    from envs import RenderingError
    from envs.navigation import render

    compilation_cache.enable_cache()
    try:
        render.check_suffix(request.path)
        draw(request)
    except (RenderingError, ValueError) as error:
        raise ConfigError(str(error)) from error


if __name__ == "__main__":
    cli.leave(cli.main(command))
