"""The interfaces of gymnasium 0.29 that Safety-Gymnasium 1.0.0 is built on, in terms of gymnasium 1.x.

They stand in for gymnasium's own only while that package is imported; everybody else sees gymnasium as it is.
"""

import contextlib
import dataclasses
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
from gymnasium import vector, wrappers
from gymnasium.envs import registration
from gymnasium.envs.mujoco import mujoco_rendering
from gymnasium.wrappers.utils import RunningMeanStd


@contextlib.contextmanager
def stand_ins() -> Iterator[None]:
    """Let code written for gymnasium 0.29 be imported meanwhile."""
    added = {
        module.__name__: module
        for module in (
            _module("gymnasium.envs.mujoco.mujoco_rendering", OffScreenViewer=OffScreenViewer),
            _module("gymnasium.envs.registration", EnvSpec=EnvSpec, _find_spec=find_spec),
            _module("gymnasium.vector.async_vector_env", AsyncVectorEnv=AsyncVectorEnv),
            _module("gymnasium.wrappers.autoreset", AutoResetWrapper=wrappers.Autoreset),
            _module("gymnasium.wrappers.compatibility", EnvCompatibility=None),  # for environments older than 0.26
            _module("gymnasium.wrappers.env_checker", PassiveEnvChecker=wrappers.PassiveEnvChecker),
            _module(
                "gymnasium.wrappers.normalize",
                NormalizeObservation=wrappers.NormalizeObservation,
                NormalizeReward=wrappers.NormalizeReward,
                RunningMeanStd=RunningMeanStd,
            ),
            _module("gymnasium.wrappers.time_limit", TimeLimit=wrappers.TimeLimit),
            _module("safety_gymnasium.tasks.safe_multi_agent.safe_mujoco_multi", make_ma=make_multi_agent),
        )
    }
    hidden = {name: sys.modules[name] for name in added if name in sys.modules}
    sys.modules.update(added)
    try:
        yield
    finally:
        for name in added:
            del sys.modules[name]
        sys.modules.update(hidden)


def _module(name: str, **names: Any) -> ModuleType:
    """The module called `name`, where gymnasium has one, with `names` added or replaced."""
    module = ModuleType(name)
    vars(module).update(vars(sys.modules[name]) if name in sys.modules else {}, **names)
    return module


def make_multi_agent(*args: Any, **options: Any) -> Any:
    """The package's `make_ma`, which needs gymnasium-robotics: imported only when somebody asks for it."""
    from safety_gymnasium.tasks.safe_multi_agent.safe_mujoco_multi import make_ma

    return make_ma(*args, **options)


@dataclasses.dataclass
class EnvSpec(registration.EnvSpec):
    """How an environment is made; gymnasium 1.0 dropped the two fields added here."""

    autoreset: bool = False
    apply_api_compatibility: bool = False


def find_spec(env_id: str) -> EnvSpec:
    """The registered spec of `env_id` with the fields that it had; raises gymnasium's errors for an unknown id."""
    found = registration._find_spec(env_id)
    return EnvSpec(**{field.name: getattr(found, field.name) for field in dataclasses.fields(found) if field.init})


class AsyncVectorEnv(vector.AsyncVectorEnv):
    """gymnasium's batch of worker processes, with the constructor and the protocol of workers that it had."""

    def __init__(
        self,
        env_fns: Sequence[Callable[[], Any]],
        observation_space: Any = None,
        action_space: Any = None,
        shared_memory: bool = True,
        copy: bool = True,
        context: str | None = None,
        daemon: bool = True,
        *,
        worker: Callable[..., None],
    ) -> None:
        if observation_space is not None or action_space is not None:
            raise ValueError("gymnasium 1.x takes both spaces from the environments: leave them out")
        target = partial(_run_worker, worker)
        super().__init__(env_fns, shared_memory, copy, context, daemon, target)

    def _check_spaces(self) -> None:
        """Leaves out the question, which is put in a form that these workers do not know: all make the same task."""

    def _poll(self, timeout: float | None = None) -> bool:
        return bool(self._poll_pipe_envs(timeout))


def _run_worker(worker: Callable[..., None], *arguments: Any) -> None:
    """A worker that takes six arguments, given gymnasium 1.x's eight: it resets environments by itself."""
    worker(*arguments[:6])


class OffScreenViewer(mujoco_rendering.OffScreenViewer):
    """gymnasium's camera, as large as the model's offscreen buffer, and indifferent to markers it has no room for."""

    def __init__(self, model: Any, data: Any) -> None:
        super().__init__(model, data, model.vis.global_.offwidth, model.vis.global_.offheight)

    def _add_marker_to_scene(self, marker: dict[str, Any]) -> None:
        if self.scn.ngeom < self.scn.maxgeom:
            super()._add_marker_to_scene(marker)


def mass_center(model: Any, data: Any) -> np.ndarray:
    """A model's center of mass in the plane, `[2]` in m; gymnasium 1.x adds up in another order, which rounds apart."""
    mass = np.expand_dims(model.body_mass, axis=1)
    center: np.ndarray = (np.sum(mass * data.xipos, axis=0) / np.sum(mass))[:2].copy()
    return center
