"""Make Safety-Gymnasium's resets cheap without changing what an agent sees.

A reset compiles a new MuJoCo model. Almost all of its time goes into decoding the skybox, 24 MB of pictures that only
cameras see. The rest goes into parsing one YAML file again and again, and into rejection sampling in slow Python.
"""

import copy
import re
from functools import cache
from typing import Any

from envs.safety_gymnasium import fast_layout
from envs.safety_gymnasium.compat import Forward

_PICTURE = re.compile(r"<texture [^>]*\bfile(?:right)?=[^>]*?(?:/>|></texture>)")
_NAME = re.compile(r'\bname="([^"]*)"')


@cache
def install() -> None:
    """Patch the imported package, once per process."""
    _compile_without_pictures()
    _read_assets_once()
    _sample_layouts_faster()


def keep_pictures(task: Any) -> None:
    """Have the worlds of a Safety-Gymnasium `task` built with their pictures, for a camera to look at."""
    task.agent.drawn = True


def without_pictures(xml: str) -> str:
    """A MuJoCo model without the textures that come from files, such as the skybox, and without their uses."""
    for picture in _PICTURE.findall(xml):
        xml = xml.replace(picture, "")
        for name in _NAME.findall(picture):
            xml = xml.replace(f' texture="{name}"', "")
    return xml


def _compile_without_pictures() -> None:
    import mujoco
    from safety_gymnasium import world

    def from_xml_string(xml: str) -> Any:
        return mujoco.MjModel.from_xml_string(without_pictures(xml))

    plain = Forward(mujoco, MjModel=Forward(mujoco.MjModel, from_xml_string=from_xml_string))
    original = world.World.build

    def build(self: Any) -> None:
        world.mujoco = mujoco if getattr(self._agent, "drawn", False) else plain
        original(self)

    world.World.build = build


def _read_assets_once() -> None:
    from safety_gymnasium import world

    yaml = world.yaml

    @cache
    def parse(path: str) -> Any:
        with open(path, encoding="utf-8") as file:
            return yaml.load(file, Loader=yaml.FullLoader)

    world.yaml = Forward(yaml, load=lambda file, **_: copy.deepcopy(parse(file.name)))


def _sample_layouts_faster() -> None:
    from safety_gymnasium.utils.random_generator import RandomGenerator

    RandomGenerator.build_layout = fast_layout.build_layout
