"""One environment of the original Safety-Gymnasium, with flat observations and actions in [-1, 1].

It knows nothing of JAX, because it runs in worker processes.

Notation: O observation size, A action dimensions, P cost components.
"""

import difflib
from typing import Any

import numpy as np

from envs.host.protocol import GL_REMEDY, HostSpec, HostStep, RenderingError, choose_renderer
from envs.safety_gymnasium import compat, fast_reset, fast_step

_VELOCITY_COST = "cost_velocity"


class SafetyGymnasiumEnv:
    """The environment registered as `task_id`.

    With `fixed_seed` every episode is that of this seed; `episode_length` cuts episodes short. With `render_mode` the
    world keeps its pictures for the camera `camera_name`, and resets take seconds. Raises ImportError if the package is
    missing, and ValueError for an unknown id or a bad length, each with the remedy.
    """

    def __init__(
        self, task_id: str, *, fixed_seed: int | None = None, episode_length: int | None = None, **options: Any
    ) -> None:
        package = compat.load()
        fast_reset.install()
        fast_step.install()
        _check_known(task_id)
        length = _checked_length(task_id, episode_length)
        self._env = package.make(task_id, max_episode_steps=length, disable_env_checker=True, **options)
        task = getattr(self._env.unwrapped, "task", None)
        if task is not None and (options.get("render_mode") or task.observe_vision):
            fast_reset.keep_pictures(task)
            if not choose_renderer():
                raise RenderingError(f"no picture could be made, there is no display: {GL_REMEDY}")
        self._fixed_seed = fixed_seed
        box = self._env.action_space
        self._center = (np.float64(box.low) + box.high) / 2
        self._half = (np.float64(box.high) - box.low) / 2
        self.spec = HostSpec(
            observation_size=self.reset(0).size,
            action_size=box.shape[0],
            episode_length=length,
            component_names=_component_names(task),
            reward_scale=None if task is None else 1.0,
        )

    def reset(self, seed: int) -> np.ndarray:
        """Begin the episode of `seed`, or of `fixed_seed`, and return the observation `[O]`."""
        return self._flat(self._env.reset(seed=seed if self._fixed_seed is None else self._fixed_seed)[0])

    def step(self, action: np.ndarray) -> HostStep:
        """Make one step under `action` `[A]` in [-1, 1], which is scaled to the range of the actuators."""
        scaled = self._center + self._half * np.asarray(action, np.float64)
        observation, reward, cost, terminated, truncated, info = self._env.step(scaled)
        # A navigation task leaves out costs that cannot arise now; velocity tasks have one, which they do not name.
        missing = 0.0 if hasattr(self._env.unwrapped, "task") else cost
        return HostStep(
            observation=self._flat(observation),
            reward=float(reward),
            cost=float(cost),
            components=np.array([info.get(name, missing) for name in self.spec.component_names], np.float64),
            terminated=bool(terminated),
            truncated=bool(truncated),
        )

    def render(self) -> np.ndarray:
        """The picture `[height, width, 3]` (uint8) of the camera chosen at construction; needs `render_mode`.

        Raises RenderingError, with the remedy, where no GL library can be used.
        """
        try:
            return self._env.render()
        except Exception as error:
            raise RenderingError(f"no picture could be made ({error!r}): {GL_REMEDY}") from error

    @property
    def task(self) -> Any:
        """The package's task, which holds the world; only navigation tasks have one."""
        return self._env.unwrapped.task

    @property
    def control_step(self) -> float:
        """How long an action acts (s)."""
        world = self._env.unwrapped
        if not hasattr(world, "task"):
            return world.dt
        return world.task.model.opt.timestep * world.task.sim_conf.frameskip_binom_n

    def close(self) -> None:
        """Release what cameras hold: at exit it would be too late, and GL would complain."""
        world = self._env.unwrapped
        if hasattr(world, "task"):
            world.task.viewer, world.task._viewers = None, {}
        else:
            self._env.close()

    def _flat(self, observation: Any) -> np.ndarray:
        from gymnasium.spaces.utils import flatten

        if isinstance(observation, dict):
            observation = flatten(self._env.observation_space, observation)
        return np.asarray(observation, np.float64).ravel()


def task_ids() -> tuple[str, ...]:
    """Every registered single-agent id but the Debug ids, which listen to a keyboard."""
    compat.load()
    from safety_gymnasium.utils.registration import safe_registry

    return tuple(sorted(name for name in safe_registry if "Debug" not in name))


def _check_known(task_id: str) -> None:
    known = task_ids()
    if task_id not in known:
        close = difflib.get_close_matches(task_id, known, n=3, cutoff=0.4) or known[:3]
        raise ValueError(f'Safety-Gymnasium has no task "{task_id}"; close to it: {", ".join(close)}')


def _checked_length(task_id: str, wanted: int | None) -> int:
    from gymnasium.envs.registration import spec

    longest = spec(task_id).max_episode_steps
    if longest is None:
        raise ValueError(f'"{task_id}" has no time limit: only tasks with episodes of a known length can be trained on')
    if wanted is not None and not 1 <= wanted <= longest:
        raise ValueError(f"episode_length is {wanted}: {task_id} has episodes of at most {longest} steps")
    return wanted or longest


def _component_names(task: Any) -> tuple[str, ...]:
    """The costs that a navigation `task` adds up, in its own order; velocity tasks have one, which they do not name."""
    if task is None:
        return (_VELOCITY_COST,)
    return tuple(name for name in task.calculate_cost() if name != "cost_sum")
