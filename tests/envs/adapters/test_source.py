"""`module:Name`: what is found, and one line for everything that is not."""

import pickle
import sys

import pytest

from envs.adapters.source import Source, is_compiled, is_gymnasium


def load(task_id, kwargs=None, folder=None, **options):
    return Source.parse(task_id, kwargs, folder).load(**options)


def refusal(task_id, kwargs=None, folder=None):
    with pytest.raises((ValueError, ImportError)) as error:
        load(task_id, kwargs, folder)
    assert "\n" not in str(error.value) and len(str(error.value)) < 500
    return str(error.value)


def write(folder, name, text):
    (folder / f"{name}.py").write_text(text)
    return str(folder)


def test_a_callable_a_class_and_ids_of_libraries():
    assert is_gymnasium(load("own_gymnasium:toy", {"limit": 3}))
    assert is_gymnasium(load("own_gymnasium:Toy"))
    assert load("own_gymnasium:OwnToy-v0", {"observation": "matrix"}).observation_space.shape == (2, 3)
    assert load("gymnasium:Pendulum-v1", {"g": 9.0}).unwrapped.g == 9.0
    assert is_compiled(load("brax.envs:fast"))
    assert is_compiled(load("own_compiled:ready"))
    assert is_compiled(load("mujoco_playground:CartpoleBalance", {"ctrl_dt": 0.02}))


def test_it_travels_to_workers_and_is_equal_to_its_like():
    source = Source.parse("own_gymnasium:toy", {"limit": 3, "ends": 2})
    again = pickle.loads(pickle.dumps(source))
    assert again == source and hash(again) == hash(source)
    assert Source.parse("own_gymnasium:toy", {"ends": 2, "limit": 3}) == source
    assert again.load().unwrapped._ends == 2


def test_num_envs_is_passed_on_where_it_is_wanted():
    assert load("own_gymnasium:vector", num_envs=3).num_envs == 3
    assert is_gymnasium(load("own_gymnasium:toy", num_envs=3))


@pytest.mark.parametrize(("name", "owner"), [("colorsys", "lib"), ("pylab", "site-packages")])
def test_a_file_named_like_an_installed_module_does_not_stand_in_its_place(name, owner, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, name, raising=False)
    folder = write(tmp_path, name, "raise RuntimeError('shadowed')")
    said = refusal(f"{name}:toy", folder=folder)
    assert f"{name}:toy is {tmp_path / name}.py, but " in said and owner in said and "rename one of them" in said


def test_the_folder_is_looked_in(tmp_path):
    folder = write(tmp_path, "task_in_a_folder", "from own_gymnasium import toy")
    assert is_gymnasium(load("task_in_a_folder:toy", folder=folder))
    other = tmp_path / "other"
    other.mkdir()
    write(other, "task_in_a_folder", "")
    said = refusal("task_in_a_folder:toy", folder=str(other))
    assert str(other / "task_in_a_folder.py") in said and "rename" in said


@pytest.mark.parametrize(
    ("task_id", "words"),
    [
        ("own_gymnasium", ["module:Name"]),
        (":toy", ["module:Name"]),
        ("no_such_module:toy", ["no module no_such_module", "--env.folder"]),
        ("own_gymnasium.part:toy", ["no module own_gymnasium.part"]),
        ("own_gymnasium:tyo", ['no callable "tyo"', "toy"]),
        ("gymnasium:Pendulm-v1", ["Pendulum-v1"]),
        ("own_gymnasium:ready", ["name a function that makes one"]),
        ("own_gymnasium:broken", ["RuntimeError: no license for the simulator", "own_gymnasium.py:"]),
        ("own_gymnasium:forgot", ["None", "return missing", "gymnasium.Env"]),
        ("own_gymnasium:number", ["a builtins.int", "supported are"]),
        ("own_gymnasium:no_instance", ["the class Toy", "instance"]),
    ],
)
def test_what_cannot_be_loaded_gets_one_line(task_id, words):
    said = refusal(task_id)
    assert all(word in said for word in words), said


def test_arguments_that_do_not_fit_get_one_line():
    assert "unexpected keyword argument 'limt'" in refusal("own_gymnasium:toy", {"limt": 3})
    assert "not JSON" in refusal("own_gymnasium:toy", {"limit": object()})


def test_a_module_that_raises_is_named_with_its_line(tmp_path):
    folder = write(tmp_path, "task_that_raises", "x = 1\nx / 0\n")
    said = refusal("task_that_raises:make", folder=folder)
    assert "ZeroDivisionError" in said and "task_that_raises.py:2" in said
    folder = write(tmp_path, "task_with_a_typo", "def make(:\n")
    assert "SyntaxError" in refusal("task_with_a_typo:make", folder=folder)
    folder = write(tmp_path, "task_that_lacks", "import surely_not_installed\n")
    said = refusal("task_that_lacks:make", folder=folder)
    assert "No module named 'surely_not_installed'" in said and "task_that_lacks.py:1" in said
    assert "task_that_raises" not in sys.modules
