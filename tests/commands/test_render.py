"""The entry point that draws a run's policy, on both backends and in every format."""

import ctypes.util
import json
import re
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from cvpo_jax import Config, EnvConfig, cli, render
from cvpo_jax.runs.export import shown
from envs.host.protocol import RenderingError
from envs.safety_gymnasium.env import SafetyGymnasiumEnv


@pytest.fixture
def run_dir(tmp_path, monkeypatch):
    """A run whose policy drives straight on; the best checkpoint is the one at step 700, the latest at 1000."""
    states = {None: 1000, "best": 700}
    monkeypatch.setattr(shown, "load_state", lambda _, step, limit: SimpleNamespace(env_steps=states[step]))
    monkeypatch.setattr(shown, "make_policy", lambda _: lambda observation: jnp.array([1.0, 0.0]))

    def make(task_id="SafetyPointGoal1-v0", **options):
        env = EnvConfig(id=task_id, episode_length=8, **options)
        (tmp_path / "config.json").write_text(Config(env=env).to_json())
        return tmp_path

    return make


def draw(*arguments):
    return cli.main(render.command, [str(argument) for argument in arguments])


def test_episodes_on_the_port_from_above(run_dir, capsys):
    folder = run_dir()
    assert draw(folder, "--episodes", 2, "--every", 3, "--size", 100) == 0
    first, second, path = capsys.readouterr().out.splitlines()
    assert first.startswith("episode 0: return ") and second.startswith("episode 1: return ")
    assert float(first.split()[3].strip(",")) != float(second.split()[3].strip(",")), "another layout each"
    with Image.open(path) as film:
        assert film.n_frames == 2 * 3, "of 9 states every third"
        assert (film.size, film.info["duration"]) == ((100, 100), 60), "3 steps of 0.02 s"


def test_an_environment_of_one_s_own_draws_itself_in_the_size_asked_for(run_dir, capsys):
    folder = run_dir("own_gymnasium:Drawn", backend="gymnasium")
    assert draw(folder, "--every", 3, "--size", 64) == 0
    assert capsys.readouterr().out.startswith("episode 0: return ")
    with Image.open(folder / "render.gif") as film:
        assert (film.n_frames, film.size, film.info["duration"]) == (3, (64, 32), 300)


@pytest.mark.parametrize(("drawn", "said"), [("words", "returned a str"), ([[1]], "returned a list")])
def test_what_is_drawn_must_be_a_picture(drawn, said, run_dir, capsys):
    assert draw(run_dir("own_gymnasium:Drawn", backend="gymnasium", kwargs={"drawn": drawn})) == cli.WRONG
    err = capsys.readouterr().err
    assert f"own_gymnasium:Drawn cannot be drawn: render {said}" in err and err.count("\n") == 1


needs_gl = pytest.mark.skipif(
    not ctypes.util.find_library("EGL"), reason="no GL library: apt-get install libegl1 libgl1-mesa-dri"
)


@needs_gl
def test_an_episode_in_the_genuine_environment_by_its_camera(run_dir, capsys, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "egl")
    folder = run_dir()
    assert draw(folder, "--backend", "gymnasium", "--every", 3, "--size", 64, "--out", folder / "x.gif") == 0
    total = float(capsys.readouterr().out.split()[3].strip(","))
    env = SafetyGymnasiumEnv("SafetyPointGoal1-v0", episode_length=8)
    env.reset(0)
    assert total == pytest.approx(sum(env.step(np.array([1.0, 0.0])).reward for _ in range(8)), abs=0.006)
    with Image.open(folder / "x.gif") as film:
        assert film.n_frames == 3, "after 3, 6 and 8 steps"
        assert film.size == (64, 64)
        sky, floor = np.asarray(film.convert("RGB"))[[10, -5], 40:].mean((1, 2))
        assert sky < 60 < floor


@needs_gl
def test_the_end_of_an_episode_of_a_velocity_task(run_dir, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "egl")
    folder = run_dir("SafetySwimmerVelocity-v1")
    picture = folder / "end.png"
    assert draw(folder, "--backend", "gymnasium", "--size", 64, "--steps", 2, "--out", picture) == 0
    assert np.asarray(Image.open(picture)).std() > 5


def test_without_gl_the_remedy_is_told_in_one_line(run_dir, monkeypatch, capsys):
    def fail(self):
        raise RenderingError("no picture could be made: apt-get install libegl1")

    monkeypatch.setattr(SafetyGymnasiumEnv, "render", fail)
    assert draw(run_dir(), "--backend", "gymnasium") == cli.WRONG
    assert capsys.readouterr().err == "error: no picture could be made: apt-get install libegl1\n"


@pytest.mark.parametrize(
    ("task_id", "options", "said"),
    [
        ("SafetyPointGoal1-v0", ["--out", "way.mp3"], "must end in .html or .mp4 or .gif or .png"),
        ("SafetyPointGoal1-v0", ["--format", "gif", "--out", "way.png"], "--format is gif, but --out is way.png"),
        ("SafetyPointGoal1-v0", ["--camera", "track"], "--camera is track: SafetyPointGoal1-v0 is drawn from above"),
        (
            "SafetyPointGoal1-v0",
            ["--backend", "gymnasium", "--camera", "top"],
            "--camera is top: those of the original",
        ),
        ("SafetyPointGoal1-v0", ["--every", 0], "--every is 0: at least 1 is needed"),
        ("SafetyPointGaol1-v0", ["--backend", "gymnasium"], "close to it: SafetyPointGoal"),
    ],
)
def test_what_cannot_be_drawn_is_told(run_dir, task_id, options, said, capsys):
    assert draw(run_dir(task_id), *options) == cli.WRONG
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1


def test_an_exported_policy_of_the_checkout(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert draw("--policy", "point_goal", "--format", "html", "--steps", 5) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "point_goal.html"
    data = page_data(tmp_path / "point_goal.html")
    assert (data["task"], data["run"]) == ("SafetyPointGoal1-v0", "point_goal")
    assert data["checkpoint"].startswith("step ") and len(data["episodes"][0]["returns"]) == 6


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "RUN_DIR is missing; --help lists all options"),
        (["runs/x", "--policy", "point_goal"], "--policy is point_goal: it stands in place of runs/x"),
        (["--policy", "point_goal", "--step", 7], "--step is 7: an exported policy, --policy, is of one step"),
        (["--policy", "point_gaol"], "--policy is point_gaol: neither a file that export wrote"),
    ],
)
def test_what_is_to_be_drawn_must_be_one_thing(arguments, said, capsys):
    assert draw(*arguments) == cli.WRONG
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1


def test_the_camera_of_what_draws_itself_is_its_own(run_dir, capsys):
    assert draw(run_dir("own_gymnasium:Drawn", backend="gymnasium"), "--camera", "track") == cli.WRONG
    assert "--camera is track: own_gymnasium:Drawn draws itself" in capsys.readouterr().err


@needs_gl
@pytest.mark.slow
def test_a_velocity_task_on_the_port_by_mujoco(run_dir, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "egl")
    folder = run_dir("SafetySwimmerVelocity-v1")
    monkeypatch.setattr(shown, "make_policy", lambda _: lambda observation: jnp.zeros(2))
    assert draw(folder, "--format", "png", "--size", 64, "--steps", 2) == 0
    assert np.asarray(Image.open(folder / "render.png")).std() > 5


def page_data(path):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text())[1])


def test_a_page_of_the_best_policy(run_dir, capsys):
    folder = run_dir()
    assert draw(folder, "--format", "html", "--episodes", 2, "--step", "best") == 0
    told = capsys.readouterr().out.splitlines()
    data = page_data(folder / "render.html")
    assert (data["task"], data["checkpoint"]) == ("SafetyPointGoal1-v0", "the best checkpoint, step 700")
    assert data["limits"] == [{"name": "cost", "limit": 25}]
    for line, episode in zip(told, data["episodes"], strict=False):
        assert float(line.split()[3].strip(",")) == pytest.approx(episode["returns"][-1], abs=0.006)
        assert len(episode["returns"]) == len(episode["tracks"]["robot"]["x"]) == 9
        assert episode["seconds"] == pytest.approx(0.02)


def test_a_page_of_pictures_has_the_start_the_end_and_what_was_asked_for_between(run_dir):
    folder = run_dir("own_gymnasium:Drawn", backend="gymnasium")
    assert draw(folder, "--every", 3, "--size", 64, "--out", folder / "x.html") == 0
    (episode,) = page_data(folder / "x.html")["episodes"]
    assert episode["shown"] == [0, 3, 6, 8] and len(episode["pictures"]) == 4
    assert episode["tracks"] is None and not episode["signals"]


@pytest.mark.parametrize(
    ("name", "kwargs", "why"),
    [
        ("Toy", {}, 'its metadata name no render mode "rgb_array"'),
        ("Drawn", {"drawn": "words"}, "render returned a str"),
    ],
)
def test_a_page_of_what_cannot_be_drawn_has_signals(run_dir, name, kwargs, why):
    folder = run_dir(f"own_gymnasium:{name}", backend="gymnasium", kwargs=kwargs)
    assert draw(folder, "--format", "html") == 0
    (episode,) = page_data(folder / "render.html")["episodes"]
    assert why in episode["undrawn"] and not episode["pictures"]
    actions = [line for line in episode["signals"] if line["signal"] == "action"]
    assert [line["y"][1:] for line in actions] == [[1] * 8, [0] * 8]


def test_a_sheet_of_moments(run_dir):
    folder = run_dir()
    assert draw(folder, "--format", "png", "--size", 100) == 0
    assert Image.open(folder / "render.png").size == (3 * 104, 2 * 104)
    assert draw(folder, "--out", folder / "two.png", "--size", 100, "--episodes", 2) == 0
    assert Image.open(folder / "two.png").size == (6 * 104, 2 * 104)
