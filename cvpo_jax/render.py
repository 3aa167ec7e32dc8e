"""Draw episodes of a run's policy: `python -m cvpo_jax.render RUN_DIR [--backend gymnasium] [--output FILE]`.

Those on the port are drawn from above (`envs.render`), those in the genuine environment filmed by one of its cameras.
Neither needs a display. Notation: T steps, F pictures, H, W pixels.
"""

import argparse
import dataclasses
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from brax.envs import State

from cvpo_jax import cli
from cvpo_jax.config import Config, ConfigError
from cvpo_jax.config.sections import Backend
from cvpo_jax.runs import directory
from cvpo_jax.runs.policy import Policy, load_policy
from cvpo_jax.runtime import compilation_cache
from cvpo_jax.training.trainer import make_env
from envs.vector import CompiledVectorEnv
from envs.navigation import render
from envs.navigation.canvas import caption
from envs.navigation.env import NavigationEnv
from envs.safety_gymnasium.env import RenderingError, SafetyGymnasiumEnv

CAMERAS = ("fixedfar", "fixednear", "track", "vision")
INK, RED = (40, 40, 40, 255), (214, 40, 40, 255)


@dataclass(frozen=True)
class RenderRequest:
    """What to draw: up to `steps` steps (0: all) of each of `episodes` episodes, every `every`-th, `size` pixels."""

    episodes: int
    steps: int
    every: int
    seed: int
    size: int
    still: bool  # one picture of the end instead of the course
    camera: str


class RenderedEpisode(NamedTuple):
    """Pictures of one episode, and what it came to."""

    pictures: np.ndarray  # uint8 [F, H, W, 3]
    total_return: float
    cost: float
    control_step: float  # s


def on_port(config: Config, policy: Policy, wish: RenderRequest) -> Iterator[RenderedEpisode]:
    """Episodes on the port, drawn from above; a still shows the whole way of its episode."""
    vector = make_env(config, 1)
    env = vector.env if isinstance(vector, CompiledVectorEnv) else None
    if not isinstance(env, NavigationEnv):
        raise ConfigError(f"{config.env.id} cannot be drawn on the port, only navigation can: try --backend gymnasium")
    length = vector.episode_length
    roll = _make_roll(env, policy, min(wish.steps or length, length))
    for number in range(wish.episodes):
        states = jax.device_get(roll(jax.random.fold_in(jax.random.PRNGKey(wish.seed), number)))
        ended = np.flatnonzero(states.done)
        states = jax.tree.map(lambda leaf, end=ended[0] + 1 if ended.size else None: leaf[:end], states)
        shots = (
            render.picture(env, states, size=wish.size)[None]
            if wish.still
            else render.frames(env, states, size=wish.size, every=wish.every)
        )
        yield RenderedEpisode(shots, float(states.reward.sum()), float(states.info["cost"].sum()), env.control_step)


def _make_roll(env: NavigationEnv, policy: Policy, steps: int) -> Callable[[jax.Array], State]:
    """A compiled function from a key to an episode's start and its first `steps` states, `[1 + T]`."""

    def step(state: State, _: None) -> tuple[State, State]:
        state = env.step(state, policy(state.obs))
        return state, state

    def roll(key: jax.Array) -> State:
        start = env.reset(key)
        _, states = jax.lax.scan(step, start, None, length=steps)
        return jax.tree.map(lambda first, others: jnp.concatenate([first[None], others]), start, states)

    return jax.jit(roll)


def in_genuine(config: Config, policy: Policy, wish: RenderRequest) -> Iterator[RenderedEpisode]:
    """Episodes in the genuine environment, filmed by a camera of MuJoCo; raises RenderingError without GL."""
    camera = wish.camera or ("track" if "Velocity" in config.env.id else "fixedfar")
    try:
        env = SafetyGymnasiumEnv(
            config.env.id,
            fixed_seed=0 if config.env.layout == "fixed" else None,
            episode_length=config.env.episode_length or None,
            render_mode="rgb_array",
            camera_name=camera,
            width=wish.size,
            height=wish.size,
        )
    except (ValueError, ImportError) as error:
        raise ConfigError(f"--env.id {config.env.id} --backend gymnasium: {error}") from error
    try:
        for number in range(wish.episodes):
            yield _filmed(env, policy, wish, wish.seed + number)
    finally:
        env.close()


def _filmed(env: SafetyGymnasiumEnv, policy: Policy, wish: RenderRequest, seed: int) -> RenderedEpisode:
    """One episode of the genuine environment."""
    observation, total, cost, pictures = env.reset(seed), 0.0, 0.0, []
    last = wish.steps or env.spec.episode_length
    for count in range(1, last + 1):
        step = env.step(np.asarray(policy(np.float32(observation))))
        observation, total, cost = step.observation, total + step.reward, cost + step.cost
        over = step.terminated or step.truncated or count == last
        if over or (not wish.still and count % wish.every == 0):
            words = [(f"step {count}   return {total:.2f}", INK), (f"cost {cost:g}", RED if step.cost else INK)]
            pictures.append(caption(env.render(), words))
        if over:
            break
    return RenderedEpisode(np.stack(pictures), total, cost, env.control_step)


def draw(run_dir: Path, path: Path, wish: RenderRequest, backend: Backend | None = None) -> None:
    """Draw the latest policy of a run to `path`, a .gif or .png, and print what the episodes came to.

    Raises ConfigError, CheckpointError, and RenderingError where the genuine environment finds no GL library.
    """
    config = directory.load_config(run_dir)
    policy = load_policy(run_dir)
    film = on_port if (backend or config.env.backend) == "brax" else in_genuine
    config = dataclasses.replace(config, env=dataclasses.replace(config.env, backend=backend or config.env.backend))
    episodes = []
    for number, shots in enumerate(film(config, policy, wish)):
        print(f"episode {number}: return {shots.total_return:.2f}, cost {shots.cost:g}")
        episodes.append(shots)
    pictures = np.concatenate([shots.pictures for shots in episodes])
    render.write(path, pictures, episodes[0].control_step * wish.every)
    print(path)


def command(arguments: Sequence[str]) -> None:
    """Draw what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m cvpo_jax.render", description="Draw episodes of a run's policy.")
    parser.add_argument("run_dir", type=Path, metavar="RUN_DIR")
    parser.add_argument("--backend", choices=("brax", "gymnasium"), help="default: the backend it was trained on")
    parser.add_argument("--output", type=Path, help=".gif: the course in real time, .png: its end (RUN_DIR/render.gif)")
    parser.add_argument("--episodes", type=int, default=1, help="episodes, one after the other (default 1)")
    parser.add_argument("--steps", type=int, default=0, help="steps of each at most (default: the whole episode)")
    parser.add_argument("--every", type=int, default=4, help="draw every so many steps (default 4)")
    parser.add_argument("--seed", type=int, default=0, help="seed of layouts (default 0)")
    parser.add_argument("--size", type=int, default=400, help="pixels to a side (default 400)")
    parser.add_argument("--camera", default="", choices=CAMERAS, help="of the genuine environment (default: fixedfar)")
    options = vars(parser.parse_args(arguments))
    run_dir, backend = options.pop("run_dir"), options.pop("backend")
    path = options.pop("output") or run_dir / "render.gif"
    for name, least in (("episodes", 1), ("steps", 0), ("every", 1), ("size", 64)):
        if options[name] < least:
            raise ConfigError(f"--{name} is {options[name]}: at least {least} is needed")
    compilation_cache.enable_cache()
    try:
        render.check_suffix(path)
        draw(run_dir, path, RenderRequest(**options, still=path.suffix == ".png"), backend)
    except (RenderingError, ValueError) as error:
        raise ConfigError(str(error)) from error


if __name__ == "__main__":
    sys.exit(cli.main(command))
