"""What can be trained, and what works here, in lines."""

import shutil
from types import SimpleNamespace

import jax
import pytest

import envs
from cvpo_jax import cli, doctor, tasks


def test_every_task_has_a_line(capsys):
    assert cli.main(tasks.command, []) == 0
    listed = capsys.readouterr().out.split("\n\n")[0].splitlines()
    assert sorted(line.split()[0] for line in listed) == sorted(envs.task_ids())
    for line in listed:
        env = envs.make(line.split()[0])
        assert env.episode_length == int(line.split()[1])
        costs = line.partition("; costs: ")[2]
        assert costs == (", ".join(env.cost_names) or "none") or "Velocity" in line


def test_tasks_are_found_by_a_part_of_their_id(capsys):
    assert cli.main(tasks.command, ["--like", "button1"]) == 0
    ids = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert ids == ["SafetyPointButton1-v0", "SafetyCarButton1-v0"]
    assert cli.main(tasks.command, ["--like", "chess"]) == 2
    assert capsys.readouterr().err.startswith("error: --like is chess")


def test_where_all_is_well_the_doctor_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=2**34))
    assert cli.main(doctor.command, []) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines} <= {"ok", "note"}
    assert f"ok    jax {jax.__version__}" in lines
    assert any("16.0 GiB are free" in line for line in lines)


def fails(name, monkeypatch):
    def broken(*arguments):
        raise RuntimeError("no driver")

    if name == "devices":
        monkeypatch.setattr(jax, "devices", broken)
    elif name == "disk":
        monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=2**20))
    else:
        monkeypatch.setattr(doctor, "REQUIRED", ("no-such-package",))


@pytest.mark.parametrize(
    ("name", "said"),
    [("devices", "no device (no driver): JAX_PLATFORMS=cpu"), ("disk", "make room"), ("package", "make install")],
)
def test_what_would_fail_is_told_with_the_remedy(name, said, monkeypatch, capsys):
    if name != "disk":
        monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=2**34))
    fails(name, monkeypatch)
    assert cli.main(doctor.command, []) == 2
    out, err = capsys.readouterr()
    (line,) = [line for line in out.splitlines() if line.startswith("FAIL")]
    assert said in line
    assert err == "error: 1 of the lines above begin with FAIL: do what they say\n"
