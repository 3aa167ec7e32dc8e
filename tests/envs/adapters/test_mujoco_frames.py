"""Pictures of MuJoCo models, by their cameras and in any size."""

import ctypes.util
from types import SimpleNamespace

import mujoco
import numpy as np
import pytest
from paths import ROOT

from envs.adapters.mujoco_frames import frames
from envs.host.protocol import RenderingError

pytestmark = pytest.mark.skipif(
    not ctypes.util.find_library("EGL"), reason="no GL library: apt-get install libegl1 libgl1-mesa-dri"
)


@pytest.fixture(scope="module")
def model():
    """The arm of the examples."""
    return mujoco.MjModel.from_xml_path(str(ROOT / "experiments" / "own" / "arm.xml"))


def states(elbow):
    """The upper link to the right and the target up on the left, for each of the angles `elbow` `[T]`."""
    count = len(elbow)
    return SimpleNamespace(
        qpos=np.stack([np.zeros(count), elbow], 1),
        qvel=np.zeros((count, 2)),
        mocap_pos=np.tile([[-0.3, 0.3, 0.0]], (count, 1, 1)),
        mocap_quat=np.tile([[1.0, 0, 0, 0]], (count, 1, 1)),
    )


def where_green(picture):
    """Rows and columns, from -1 to 1, of the middle of what is green."""
    red, green, blue = np.moveaxis(picture.astype(int), -1, 0)
    return np.argwhere((green > 1.5 * red) & (green > 1.5 * blue)).mean(0) / (len(picture) / 2) - 1


def test_states_are_drawn_as_they_are(model):
    env = SimpleNamespace(mj_model=model)
    pictures = frames(env, {"state": states(np.array([0.0, 1.4, 2.4]))}, name="arm", size=120)
    assert pictures.shape == (3, 120, 120, 3) and pictures.dtype == np.uint8
    assert (pictures[0] != pictures[1]).any() and (pictures[1] != pictures[2]).any()
    half = 1.2 * np.tan(np.deg2rad(model.vis.global_.fovy / 2))  # m, from the middle to the edge, seen from 1.2 m above
    np.testing.assert_allclose(where_green(pictures[0]), [-0.3 / half, -0.3 / half], atol=0.05)


def test_a_camera_is_chosen_by_its_name_and_pictures_may_be_larger_than_the_model_foresees(model):
    env, foreseen = SimpleNamespace(sys=SimpleNamespace(mj_model=model)), model.vis.global_.offwidth
    (picture,) = frames(env, states(np.zeros(1)), name="arm", size=foreseen + 10, camera="above")
    assert picture.shape == (foreseen + 10, foreseen + 10, 3) and model.vis.global_.offwidth == foreseen
    with pytest.raises(RenderingError, match=r"^--camera is below: my:arm has above; choose one"):
        frames(env, states(np.zeros(1)), name="my:arm", size=64, camera="below")


def test_without_a_model_that_is_told():
    with pytest.raises(RenderingError, match="my:env cannot be drawn: it has no MuJoCo model"):
        frames(object(), states(np.zeros(1)), name="my:env", size=64)
