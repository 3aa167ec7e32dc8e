"""Pictures of compiled environments that simulate a MuJoCo model, by MuJoCo's own renderer.

The environment tells its model by the attribute `mj_model`, as those of MuJoCo Playground do, or by `sys.mj_model`, as
those of Brax do, and its state holds MJX's `Data`.

Notation: F states and as many pictures, H, W pixels.
"""

import copy
import os
import sys
from typing import Any

import jax
import numpy as np

from envs.host.protocol import GL_REMEDY, RenderingError, choose_renderer

_POSE = ("qpos", "qvel", "mocap_pos", "mocap_quat")


def frames(env: Any, states: Any, *, name: str, size: int, camera: str | None = None) -> np.ndarray:
    """Each of the environment's own `states` (leaves `[F, ...]`, on the host) as a picture, uint8 `[F, H, W, 3]`.

    `camera` is one of the model's by name; None: its first, or a free one where it has none. Raises RenderingError, in
    one line, where there is no such camera, no model to draw or nothing to draw it with.
    """
    drawable = choose_renderer()
    import mujoco

    model, data = _model(env), _data(states)
    if model is None or data is None:
        raise RenderingError(
            f"{name} cannot be drawn: it has no MuJoCo model as the attribute mj_model, or no Data of MJX in its state"
        )
    by_display = mujoco.GLContext.__module__.endswith("glfw") and not os.environ.get("DISPLAY")
    if not drawable or (by_display and sys.platform.startswith("linux")):  # MuJoCo would abort the process
        raise RenderingError(f"{name} cannot be drawn: there is no display, nor was MUJOCO_GL set: {GL_REMEDY}")
    view = _view(model, camera, name)
    model = copy.copy(model)
    screen = model.vis.global_
    screen.offwidth, screen.offheight = max(screen.offwidth, size), max(screen.offheight, size)
    pictures, pose = [], mujoco.MjData(model)
    try:
        renderer = mujoco.Renderer(model, size, size)
    except Exception as error:  # MuJoCo and the GL libraries raise many kinds
        raise RenderingError(f"{name} cannot be drawn: {str(error).splitlines()[0]}; {GL_REMEDY}") from error
    try:
        for index in range(len(data.qpos)):
            for field in _POSE:
                getattr(pose, field)[:] = getattr(data, field)[index]
            mujoco.mj_forward(model, pose)
            renderer.update_scene(pose, camera=view)
            pictures.append(renderer.render())
    finally:
        renderer.close()
    return np.stack(pictures)


def _model(env: Any) -> Any:
    """The environment's MuJoCo model, None if it tells none."""
    model = getattr(env, "mj_model", None)
    return getattr(getattr(env, "sys", None), "mj_model", None) if model is None else model


def _view(model: Any, camera: str | None, name: str) -> int:
    """The number of the camera to look through, -1 for a free one; raises RenderingError for one that is unknown."""
    names = [model.camera(index).name for index in range(model.ncam)]
    if camera is None:
        return 0 if names else -1
    if camera not in names:
        raise RenderingError(
            f"--camera is {camera}: {name} has {', '.join(names) or 'none'}; choose one or leave the option out"
        )
    return names.index(camera)


def _data(states: Any) -> Any:
    """The first part of `states` that is MJX's Data; None where there is none."""

    def is_data(part: Any) -> bool:
        return all(hasattr(part, field) for field in _POSE)

    return next((part for part in jax.tree.leaves(states, is_leaf=is_data) if is_data(part)), None)
