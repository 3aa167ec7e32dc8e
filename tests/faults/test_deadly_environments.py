"""Environments that end their whole process: the user gets one line that says which, how and where."""

import json
import subprocess
import sys

import pytest

from cvpo_jax import cli, run
from envs import check


def checked(*arguments):
    """A check in a process of its own."""
    return subprocess.run([sys.executable, "-m", "envs.check", *arguments], capture_output=True, text=True)


@pytest.mark.parametrize(
    ("how", "ending"),
    [
        ("leaves", "ended its process with status 3"),
        ("leaves well", "ended its process with status 0"),
        ("leaves in C", "ended its process with status 7"),
        ("crashes", "ended its process by signal 11 (SIGSEGV)"),
        ("is killed", "ended its process by signal 9 (SIGKILL)"),
        ("exits", "SystemExit: 4"),
    ],
)
def test_one_line_names_environment_and_ending(capsys, how, ending):
    assert check.main(["own_deadly:Deadly", "--kwargs", json.dumps({"how": how})]) == 1
    (said,) = capsys.readouterr().out.splitlines()
    assert "own_deadly:Deadly" in said and ending in said
    if how in ("leaves", "leaves well", "crashes"):
        assert "own_deadly.py:" in said, "the line of the user's code"


@pytest.mark.parametrize("at", [1, 5])
def test_resets_and_steps_are_tried_too(capsys, at):
    assert check.main(["own_deadly:vector", "--kwargs", json.dumps({"how": "leaves", "at": at})]) == 1
    assert "own_deadly:vector ended its process with status 3" in capsys.readouterr().out


def test_a_training_is_refused_in_one_line(capsys):
    assert cli.main(run.command, ["--env.id", "own_deadly:Deadly", "--env.kwargs", '{"how": "leaves"}']) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: --env.id own_deadly:Deadly: own_deadly:Deadly ended its process with status 3")
    assert said.count("\n") == 1 and "raise an exception instead" in said


def test_workers_that_end_later_are_told_of(capsys):
    assert check.main(["own_deadly:Deadly", "--kwargs", json.dumps({"how": "leaves", "at": 60})]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert "own_deadly:Deadly" in last and "keeps failing: it was being stepped when worker process" in last
    assert "ended with status 3" in last


@pytest.mark.parametrize(
    ("ending", "status"), [("os._exit(3)", 3), ("ctypes.string_at(0)", -11), ("os.kill(os.getpid(), 9)", -9), ("", 0)]
)
def test_last_words_are_said_of_what_ends_within(ending, status):
    code = "import ctypes, os\nfrom envs.host.last_words import LastWords\nwords = LastWords('the last')\n"
    ended = subprocess.run(
        [sys.executable, "-c", f"{code}with words:\n    pass\nwith words:\n    {ending or 'pass'}"],
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stderr) == (status, "the last\n" if status else "")


def test_what_steps_in_the_training_process_leaves_a_line():
    ended = checked("own_deadly:vector", "--kwargs", '{"how": "crashes", "at": 60}')
    assert ended.returncode == -11 and "within a step or reset of own_deadly:vector" in ended.stderr


def test_what_imports_jax_leaves_a_line():
    ended = checked("own_deadly:WithJax")
    assert ended.returncode == 5 and "error: own_deadly:WithJax ended this program as it was made" in ended.stderr
