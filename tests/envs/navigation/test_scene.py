"""Which objects are solid, and what the physics makes of them, is up to their kinds' fields and not to their names."""

import pytest

import envs
from envs.navigation import ObjectKind
from envs.navigation.robots import Car, Point
from envs.navigation.scene import scene_of
from envs.navigation.tasks.goal import Goal
from envs.physics import Scene, cube, push_box


def scene(*kinds: ObjectKind) -> Scene:
    return scene_of(Goal(kinds=kinds, lidars=()), Car())


def test_an_object_is_solid_if_its_kind_says_so() -> None:
    assert scene(ObjectKind("vases", 3, 0.1, 0.2), ObjectKind("pillars", 2, 0.2, 0.2)) == Scene()
    posts = ObjectKind("posts", 3, 0.3, 0.4, solid="fixed")
    assert scene(posts) == Scene(obstacle_shape="cylinder", obstacle_radius=0.3, obstacles=3)
    crates = ObjectKind("crates", 2, 0.15, 0.2, solid="movable")
    assert scene(crates) == Scene(body=cube(0.15), bodies=2)


def test_shapes_and_welds_are_fields_of_a_kind() -> None:
    domes = ObjectKind("domes", 1, 0.1, 0.2, solid="fixed", shape="sphere")
    assert scene(domes).obstacle_shape == "sphere"
    posted = ObjectKind("crate", 1, 0.125, 0.2, solid="movable", shape="posts")
    assert scene(posted).body == push_box(0.125, Car.push_box_density)
    riders = ObjectKind("riders", 2, 0.1, 0.4, solid="movable", travel=0.5)
    assert scene(riders).body == cube(0.1, 0.5)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"shape": "posts"}, 'needs "movable"'),
        ({"shape": "sphere", "solid": "movable"}, 'needs "fixed"'),
        ({"travel": 0.3}, "cannot travel"),
        ({"travel": 0.3, "solid": "fixed"}, "cannot travel"),
    ],
)
def test_fields_that_contradict_each_other_are_refused(fields: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ObjectKind("things", 1, 0.1, 0.2, **fields)


def test_the_originals_solid_objects_are_solid() -> None:
    solid = {
        kind.name: kind.solid
        for name in ("Goal2", "Button2", "Push2", "Circle2")
        for kind in envs.make(f"SafetyPoint{name}-v0").task.kinds
        if kind.solid != "no"
    }
    movable = dict.fromkeys(("vases", "gremlins", "push_box"), "movable")
    assert solid == movable | dict.fromkeys(("buttons", "pillars"), "fixed")
    assert scene_of(envs.make("SafetyPointButton1-v0").task, Point()).body == cube(0.1, 0.35)
