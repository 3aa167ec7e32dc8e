"""Pictures of compiled environments that simulate a MuJoCo model, by MuJoCo's own renderer.

The environment tells its model by the attribute `mj_model`, as those of MuJoCo Playground do, and its state holds MJX's
`Data`. Notation: T states, F pictures, H, W pixels.
"""

from typing import Any

import jax
import numpy as np

from envs.host.protocol import GL_REMEDY, RenderingError

_POSE = ("qpos", "qvel", "mocap_pos", "mocap_quat")


def frames(env: Any, states: Any, *, name: str, size: int, every: int) -> np.ndarray:
    """Every `every`-th of the environment's own `states` (leaves `[T, ...]`, on the host), uint8 `[F, H, W, 3]`.

    Raises RenderingError, in one line, where there is no model to draw or nothing to draw it with.
    """
    import mujoco

    model, data = getattr(env, "mj_model", None), _data(states)
    if model is None or data is None:
        raise RenderingError(
            f"{name} cannot be drawn: it has no MuJoCo model as the attribute mj_model, or no Data of MJX in its state"
        )
    pictures, pose = [], mujoco.MjData(model)
    try:
        renderer = mujoco.Renderer(model, size, size)
    except Exception as error:  # MuJoCo and the GL libraries raise many kinds
        raise RenderingError(f"{name} cannot be drawn: {str(error).splitlines()[0]}; {GL_REMEDY}") from error
    try:
        for index in range(0, len(data.qpos), every):
            for field in _POSE:
                getattr(pose, field)[:] = getattr(data, field)[index]
            mujoco.mj_forward(model, pose)
            renderer.update_scene(pose, camera=0 if model.ncam else -1)
            pictures.append(renderer.render())
    finally:
        renderer.close()
    return np.stack(pictures)


def _data(states: Any) -> Any:
    """The first part of `states` that is MJX's Data; None where there is none."""

    def is_data(part: Any) -> bool:
        return all(hasattr(part, field) for field in _POSE)

    return next((part for part in jax.tree.leaves(states, is_leaf=is_data) if is_data(part)), None)
