"""Draw episodes of a run's policy: `python -m cvpo_jax.render RUN_DIR [--backend gymnasium] [--output FILE]`.

Those on the port are drawn from above (`envs.navigation.render`), those in the original filmed by one of its cameras,
environments of one's own by their `render()` or by MuJoCo's renderer. None needs a display.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cvpo_jax import cli
from cvpo_jax.config import Config, ConfigError
from cvpo_jax.config.errors import require_seed
from cvpo_jax.config.sections import Backend

if TYPE_CHECKING:
    from cvpo_jax.experience.film import Film, FilmedEnv
    from cvpo_jax.runs.policy import Policy


_CAMERAS = ("fixedfar", "fixednear", "track", "vision")


@dataclass(frozen=True)
class RenderRequest:
    """Draw episodes of a run's policy."""

    run_dir: cli.RunDir
    """The directory of the run."""
    backend: Backend | None = None
    """Where to play; None: the backend it was trained on."""
    output: Path | None = None
    """.gif, .mp4: the episodes in real time, .png: where they end; None: RUN_DIR/render.gif."""
    episodes: int = 1
    """Episodes, one after the other."""
    steps: int | None = None
    """The most steps of each; None: the whole episode."""
    every: int = 4
    """Draw every so many steps."""
    seed: int = 0
    """Seed of layouts."""
    size: int = 400
    """Pixels to a side, the longer one."""
    camera: str | None = None
    """Of the original fixedfar, fixednear, track or vision; of a model in MJX one of its own; None: a suitable one."""

    @property
    def path(self) -> Path:
        """The file to draw to."""
        return self.output or self.run_dir / "render.gif"


def films(config: Config, policy: Policy, request: RenderRequest) -> Iterator[Film]:
    """Episodes of the policy; raises ConfigError, and RenderingError where there is nothing to draw with."""
    from cvpo_jax.experience import film
    from cvpo_jax.training.trainer import make_env
    from envs import CompiledVectorEnv, NavigationEnv

    wanted = film.Request(
        episodes=request.episodes,
        steps=request.steps,
        every=request.every,
        seed=request.seed,
        size=request.size,
        still=request.path.suffix == ".png",
        camera=request.camera,
    )
    if config.env.backend == "gymnasium":
        env, control_step = _host_env(config, request)
        return film.on_host(env, control_step, policy, wanted)
    vector = make_env(config, 1)
    if not isinstance(vector, CompiledVectorEnv) or not (config.env.is_own or isinstance(vector.env, NavigationEnv)):
        raise ConfigError(f"{config.env.id} cannot be drawn on the port, only navigation can: try --backend gymnasium")
    if request.camera and isinstance(vector.env, NavigationEnv):
        raise ConfigError(f"--camera is {request.camera}: {config.env.id} is drawn from above; leave the option out")
    return film.in_compiled(vector.env, config.env.id, vector.episode_length, policy, wanted)


def _host_env(config: Config, request: RenderRequest) -> tuple[FilmedEnv, float]:
    """One environment that draws itself, and the seconds of its steps."""
    if config.env.is_own:
        if request.camera:
            raise ConfigError(f"--camera is {request.camera}: {config.env.id} draws itself; leave the option out")
        return _own_env(config)
    from envs.safety_gymnasium.env import SafetyGymnasiumEnv

    camera = request.camera or ("track" if "Velocity" in config.env.id else "fixedfar")
    if camera not in _CAMERAS:
        raise ConfigError(f"--camera is {camera}: those of the original are {', '.join(_CAMERAS)}")
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
    return env, env.control_step


def _own_env(config: Config) -> tuple[FilmedEnv, float]:
    """One environment of the user's, drawn by its own render()."""
    from envs.adapters.gymnasium_env import GymnasiumEnv
    from envs.adapters.source import Source

    source = Source.parse(config.env.id, config.env.kwargs, config.env.folder)
    env = GymnasiumEnv(
        source.load,
        name=config.env.id,
        episode_length=config.env.episode_length,
        action_bound=config.env.action_bound,
        observation_key=config.env.observation_key,
    )
    return env, env.draw()


def draw(request: RenderRequest) -> None:
    """Draw the latest policy of a run, and print what the episodes came to.

    Raises ConfigError, CheckpointError, and RenderingError where the genuine environment finds no GL library.
    """
    from cvpo_jax.runs import directory
    from cvpo_jax.runs.policy import load_policy
    from envs.navigation import picture_files

    config = directory.load_config(request.run_dir)
    policy = load_policy(request.run_dir)
    if request.backend and config.env.is_own:
        raise ConfigError(f"--backend is {request.backend}: {config.env.id} has one kind only; leave the option out")
    backend = request.backend or config.env.backend
    config = dataclasses.replace(config, env=dataclasses.replace(config.env, backend=backend))
    episodes = []
    for number, episode in enumerate(films(config, policy, request)):
        print(f"episode {number}: return {episode.total_return:.2f}, cost {episode.cost:g}")
        episodes.append(episode)
    pictures = np.concatenate([episode.pictures for episode in episodes])
    picture_files.write(request.path, pictures, episodes[0].control_step * request.every)
    print(request.path)


def command(arguments: Sequence[str]) -> None:
    """Draw what the command line asks for."""
    request = cli.read_options(RenderRequest, "render", arguments)
    for name, minimum in (("episodes", 1), ("steps", 1), ("every", 1), ("size", 64)):
        value = getattr(request, name)
        if value is not None and value < minimum:
            raise ConfigError(f"--{name} is {value}: at least {minimum} is needed")
    require_seed(request.seed)
    if request.output:
        cli.require_output("output", request.output, (".gif", ".png", ".mp4"))
    from cvpo_jax.runtime import compilation_cache
    from envs import RenderingError
    from envs.host.protocol import choose_renderer

    choose_renderer()  # before MuJoCo is imported
    from envs.navigation import picture_files

    compilation_cache.enable_cache()
    try:
        picture_files.check_suffix(request.path)
        draw(request)
    except (RenderingError, ValueError) as error:
        raise ConfigError(str(error)) from error


if __name__ == "__main__":
    cli.leave(cli.main(command))
