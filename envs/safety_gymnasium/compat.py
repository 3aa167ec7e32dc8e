"""Import Safety-Gymnasium 1.0.0 on today's Python, NumPy, gymnasium and MuJoCo.

The package was written for Python 3.10, NumPy 1, gymnasium 0.28 and MuJoCo 2.3.3. Some of its habits have since become
errors, and some computations have changed. Each is repaired here, at import, and nowhere else; what gymnasium itself
used to offer is in `legacy_gymnasium`.
"""

import contextlib
import dataclasses
import inspect
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

INSTALL = "python -m pip install --no-deps --require-hashes -r requirements.lock"


@cache
def load() -> ModuleType:
    """The package `safety_gymnasium`, imported and repaired. Raises ImportError, with the remedy, if it is missing."""
    try:
        from envs.safety_gymnasium import legacy_gymnasium

        with array_defaults_allowed(), legacy_gymnasium.stand_ins():
            import safety_gymnasium
            import safety_gymnasium.builder  # here, since it needs the same
    except ModuleNotFoundError as error:
        raise ImportError(
            f'the genuine environments need the package "{error.name}", which is not installed: '
            f'run "make install" or "{INSTALL}"'
        ) from error
    accept_joint_arrays()
    accept_one_element_sensors()
    accept_action_ranges()
    weigh_humanoids_as_published()
    weigh_welds_as_published()
    return safety_gymnasium


@contextlib.contextmanager
def array_defaults_allowed() -> Iterator[None]:
    """Let dataclasses that are defined meanwhile have NumPy arrays as defaults.

    Python 3.11 refuses unhashable defaults (`color: np.array = COLOR['goal']`): they become default factories.
    """
    original = dataclasses.dataclass

    def tolerant(cls: type | None = None, /, **options: Any) -> Any:
        if cls is None:
            return lambda decorated: tolerant(decorated, **options)
        for name in inspect.get_annotations(cls):
            default = cls.__dict__.get(name)
            if isinstance(default, np.ndarray):
                setattr(cls, name, dataclasses.field(default_factory=default.copy))
        return original(cls, **options)

    dataclasses.dataclass = tolerant
    try:
        yield
    finally:
        dataclasses.dataclass = original


class Forward:
    """A stand-in for `target` with some attributes replaced."""

    def __init__(self, target: Any, **replaced: Any) -> None:
        self._target = target
        self.__dict__.update(replaced)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)


def accept_joint_arrays() -> None:
    """Let agents with joint sensors (Car, Doggo, …) load: MuJoCo 3 wants `model.jnt(3)`, not `jnt(array([3]))`."""
    from safety_gymnasium.bases.base_agent import BaseAgent

    original = BaseAgent._init_jnt_sensors

    def repaired(agent: Any) -> None:
        engine = agent.engine
        model = Forward(engine.model, jnt=lambda joint: engine.model.jnt(int(np.asarray(joint).item())))
        agent.engine = Forward(engine, model=model)
        try:
            original(agent)
        finally:
            agent.engine = engine

    BaseAgent._init_jnt_sensors = repaired


def accept_one_element_sensors() -> None:
    """Let agents with hinge sensors (Doggo, Ant, …) observe: NumPy 2.4 refuses `float(array([angle]))`."""
    from safety_gymnasium.bases import base_agent

    base_agent.float = lambda value: np.asarray(value, np.float64).item()


def accept_action_ranges() -> None:
    """Let robots load in silence: gymnasium 1.x compares their float32 ranges with float64's limits, which overflow."""
    from safety_gymnasium.bases.base_agent import BaseAgent

    original = BaseAgent._build_action_space

    def build(agent: Any) -> Any:
        with np.errstate(over="ignore"):
            return original(agent)

    BaseAgent._build_action_space = build


def weigh_humanoids_as_published() -> None:
    """Let Humanoid's rewards be those of gymnasium 0.28 to the last bit."""
    from safety_gymnasium.tasks.safe_velocity import safety_humanoid_velocity_v0

    from envs.safety_gymnasium.legacy_gymnasium import mass_center

    safety_humanoid_velocity_v0.mass_center = mass_center


def weigh_welds_as_published() -> None:
    """Let gremlins turn on their welds as they do with MuJoCo 2.3.3, which the package pins.

    That version weighs a weld's resistance to turning by the bodies' inverse mass. MuJoCo 3 weighs it by their inverse
    inertia, which is 150 times as much for a gremlin: a robot that runs into one would not move as the task's authors
    saw it move.
    """
    import mujoco
    from safety_gymnasium import world

    original = world.World.build

    def build(self: Any) -> None:
        original(self)
        model, data = self.engine.model, self.engine.data
        welds = model.eq_type == mujoco.mjtEq.mjEQ_WELD
        bodies = np.union1d(model.eq_obj1id[welds], model.eq_obj2id[welds])
        if len(bodies):
            model.body_invweight0[bodies, 1] = model.body_invweight0[bodies, 0]
            mujoco.mj_forward(model, data)

    world.World.build = build
