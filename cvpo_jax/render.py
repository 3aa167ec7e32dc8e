"""Draw episodes of a policy: `python -m cvpo_jax.render RUN_DIR [--format html] [--step best]`.

Of a run, or with `--policy` one that was exported; the checkout has some, as `--policy point_goal`.

A page (html) to play, pause and scrub in a browser, a film (gif, mp4), or a sheet of moments (png). Navigation tasks on
the port are drawn from above (`envs.navigation`), those in the original filmed by one of its cameras, velocity tasks
and environments of one's own by MuJoCo's renderer or their `render()`. None needs a display.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from cvpo_jax import cli
from cvpo_jax.config import Config, ConfigError
from cvpo_jax.config.errors import require_seed
from cvpo_jax.config.sections import Backend

if TYPE_CHECKING:
    from cvpo_jax.experience.film import Film, FilmedEnv
    from cvpo_jax.runs.export.shown import ShownPolicy
    from cvpo_jax.runs.policy import Policy


Format = Literal["html", "mp4", "gif", "png"]
_SUFFIXES: dict[str, Format] = {".html": "html", ".mp4": "mp4", ".gif": "gif", ".png": "png"}
_CAMERAS = ("fixedfar", "fixednear", "track", "vision")


@dataclass(frozen=True)
class RenderRequest:
    """Draw episodes of a run's policy, or of an exported one."""

    run_dir: cli.RunDirOrNone = None
    """The directory of the run."""
    policy: str | None = None
    """In place of a run a policy that `export` wrote, FILE.npz, or one of the checkout's results/policies."""
    step: int | Literal["best"] | None = None
    """The checkpoint: its step, or `best` by evaluation; None: the latest."""
    limit: float | None = None
    """Of a run at several limits (`--algo.limits`) one of them, or one between."""
    backend: Backend | None = None
    """Where to play; None: the backend it was trained on."""
    format: Format | None = None
    """html: a page to play and scrub; mp4, gif: a film; png: moments. None: as --out ends, else gif."""
    out: Path | None = None
    """The file to draw to; None: RUN_DIR/render.FORMAT, of an exported policy NAME.FORMAT here."""
    episodes: int = 1
    """Episodes: to choose from on a page, one after the other in a film, a row each on a sheet."""
    steps: int | None = None
    """The most steps of each; None: the whole episode."""
    every: int = 4
    """Draw every so many steps; a page of a navigation task has all of them."""
    seed: int = 0
    """Seed of layouts."""
    size: int = 400
    """Pixels to a side, the longer one."""
    camera: str | None = None
    """Of the original fixedfar, fixednear, track or vision; of a model in MJX one of its own; None: a suitable one."""

    @property
    def chosen_format(self) -> Format:
        """The one that is named, or what the file's ending says."""
        return self.format or (_SUFFIXES[self.out.suffix.lower()] if self.out else "gif")

    @property
    def path(self) -> Path:
        """The file to draw to."""
        if self.run_dir:
            return self.out or self.run_dir / f"render.{self.chosen_format}"
        return self.out or Path(f"{Path(self.policy or '').stem}.{self.chosen_format}")

    def validate(self) -> None:
        """Raise ConfigError unless the values can be used."""
        if not (self.run_dir or self.policy):
            raise ConfigError("RUN_DIR is missing; --help lists all options")
        if self.run_dir and self.policy:
            raise ConfigError(f"--policy is {self.policy}: it stands in place of {self.run_dir}; leave one of them out")
        if self.policy and self.step is not None:
            raise ConfigError(f"--step is {self.step}: an exported policy, --policy, is of one step; leave it out")
        if self.policy and self.limit is not None:
            raise ConfigError(f"--limit is {self.limit}: an exported policy, --policy, is of one limit; leave it out")
        for name, minimum in (("episodes", 1), ("steps", 1), ("every", 1), ("size", 64)):
            value = getattr(self, name)
            if value is not None and value < minimum:
                raise ConfigError(f"--{name} is {value}: at least {minimum} is needed")
        require_seed(self.seed)


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
        purpose={"html": "page", "png": "moments"}.get(request.chosen_format, "course"),  # type: ignore[arg-type]
        camera=request.camera,
        constraints=tuple(config.algo.constraints),
    )
    if config.env.backend == "gymnasium":
        env, control_step, undrawn = _host_env(config, request)
        return film.on_host(env, control_step, policy, wanted, undrawn)
    vector = make_env(config, 1)
    assert isinstance(vector, CompiledVectorEnv)
    if request.camera and isinstance(vector.env, NavigationEnv):
        raise ConfigError(f"--camera is {request.camera}: {config.env.id} is drawn from above; leave the option out")
    return film.in_compiled(vector.env, config.env.id, vector.episode_length, policy, wanted)


def _host_env(config: Config, request: RenderRequest) -> tuple[FilmedEnv, float, str]:
    """One environment that draws itself, the seconds of its steps, and why it does not, empty if it does."""
    if config.env.is_own:
        if request.camera:
            raise ConfigError(f"--camera is {request.camera}: {config.env.id} draws itself; leave the option out")
        return _own_env(config, request)
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
    return env, env.control_step, ""


def _own_env(config: Config, request: RenderRequest) -> tuple[FilmedEnv, float, str]:
    """One environment of the user's, drawn by its own render(); a page does without."""
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
    try:
        return env, env.draw(), ""
    except ValueError as error:
        if request.chosen_format != "html":
            env.close()
            raise
        return env, env.step_seconds(), str(error)


def draw(request: RenderRequest) -> None:
    """Draw a policy of a run, and print what the episodes came to.

    Raises ConfigError, CheckpointError, and RenderingError where the genuine environment finds no GL library.
    """
    from cvpo_jax.runs.export.shown import chosen, of_run

    shown = (
        chosen(request.policy) if request.policy else of_run(cast(Path, request.run_dir), request.step, request.limit)
    )
    config = shown.config
    if request.backend and config.env.is_own:
        raise ConfigError(f"--backend is {request.backend}: {config.env.id} has one kind only; leave the option out")
    backend = request.backend or config.env.backend
    config = dataclasses.replace(config, env=dataclasses.replace(config.env, backend=backend))
    drawn = []
    for number, film in enumerate(films(config, shown.policy, request)):
        print(f"episode {number}: return {film.total_return:.2f}, cost {film.total_cost:g}")
        drawn.append(film)
    if request.chosen_format == "html":
        _write_page(request, config, shown, drawn)
    else:
        _write_pictures(request, drawn)
    print(request.path)


def _write_pictures(request: RenderRequest, drawn: Sequence[Film]) -> None:
    import numpy as np

    from envs.navigation import picture_files

    if request.chosen_format == "png":
        shots = picture_files.sheet([film.pictures for film in drawn])[None]
    else:
        shots = np.concatenate([film.pictures for film in drawn])
    picture_files.write(request.path, shots, drawn[0].control_step * request.every)


def _write_page(request: RenderRequest, config: Config, policy: ShownPolicy, drawn: Sequence[Film]) -> None:
    from cvpo_jax.pages import replay
    from cvpo_jax.runtime.files import write_whole

    about = replay.About(
        task=config.env.id if config.env.backend == "brax" or config.env.is_own else f"{config.env.id}, the original",
        run=policy.name,
        checkpoint=f"{'the best checkpoint, ' if request.step == 'best' else ''}step {policy.step:,}",
        limits=config.algo.constraint_limits,
    )
    write_whole(request.path, replay.replay_page(about, drawn))


def command(arguments: Sequence[str]) -> None:
    """Draw what the command line asks for."""
    request = cli.read_options(RenderRequest, "render", arguments)
    request.validate()
    _require_output(request)
    from cvpo_jax.runtime import compilation_cache
    from envs import RenderingError
    from envs.host.protocol import choose_renderer

    choose_renderer()  # before MuJoCo is imported
    from envs.navigation import picture_files

    compilation_cache.enable_cache()
    try:
        if request.chosen_format != "html":
            picture_files.check_suffix(request.path)
        draw(request)
    except (RenderingError, ValueError) as error:
        raise ConfigError(str(error)) from error


def _require_output(request: RenderRequest) -> None:
    """Raise ConfigError unless the file can be written, and is of the format that is named, if one is."""
    if request.out is None:
        return
    cli.require_output("out", request.out, tuple(_SUFFIXES))
    said = _SUFFIXES[request.out.suffix.lower()]
    if request.format not in (None, said):
        raise ConfigError(f"--format is {request.format}, but --out is {request.out}: leave one of them out")


if __name__ == "__main__":
    cli.leave(cli.main(command))
