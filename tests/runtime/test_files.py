"""Files are written whole or not at all, and a folder has one writer."""

import builtins
import errno
import os
import pathlib
import subprocess
import sys

import pytest

from cvpo_jax import ConfigError
from cvpo_jax.runtime.files import LOCK, append_line, only_writer, write_whole


def failing(number):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    return fail


def test_what_is_written_takes_the_place_of_what_was_there(tmp_path):
    path = tmp_path / "file"
    for content in ("first", b"second"):
        write_whole(path, content)
    assert path.read_text() == "second"
    assert list(tmp_path.iterdir()) == [path], "no draft is left"


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(call, tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_whole(path, "old")
    holder = pathlib.Path if call == "replace" else os
    monkeypatch.setattr(holder, call, failing(errno.ENOSPC))
    with pytest.raises(OSError, match=f"No space left.*{path}"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_drafts_of_killed_processes_are_removed_by_the_next_writer(tmp_path):
    """A process killed within a write leaves its draft; one that another process is writing just now stays."""
    code = (
        "import os, pathlib, signal, sys\n"
        "from cvpo_jax.runtime.files import write_whole\n"
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_whole(pathlib.Path(sys.argv[1]), 'new')\n"
    )
    path = tmp_path / "config.json"
    write_whole(path, "old")
    assert subprocess.run([sys.executable, "-c", code, path], check=False).returncode == -9
    (dead,) = tmp_path.glob(".config.json.*")
    living, other = tmp_path / f".sizes.json.{os.getppid()}", tmp_path / ".hidden"
    living.touch(), other.touch()
    with only_writer(tmp_path):
        assert not dead.exists() and living.exists() and other.exists()
    assert path.read_text() == "old"


def test_a_line_that_does_not_fit_is_taken_back(tmp_path):
    """The limit on the size of files stands for a disk that fills up in the middle of the line."""
    path = tmp_path / "lines"
    code = (
        "import pathlib, resource, signal, sys\n"
        "from cvpo_jax.runtime.files import append_line\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))\n"
        "for text in ('first', 'a second line that is too long'):\n"
        "    append_line(pathlib.Path(sys.argv[1]), text)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=False)
    assert f"File too large: '{path}'" in done.stderr.splitlines()[-1]
    assert path.read_text() == "first\n"


def test_lines_are_appended(tmp_path):
    for text in ("first", "second"):
        append_line(tmp_path / "lines", text)
    assert (tmp_path / "lines").read_text() == "first\nsecond\n"


def test_a_folder_has_one_writer_at_a_time(tmp_path):
    folder = tmp_path / "run"
    with only_writer(folder):
        (folder / "something").touch()
        with pytest.raises(ConfigError, match=rf"{folder} is being written to by process {os.getpid()} on"):
            only_writer(folder).__enter__()
    with only_writer(folder):
        pass
    assert {path.name for path in folder.iterdir()} == {LOCK, "something"}


def test_a_folder_that_nothing_came_into_goes_again(tmp_path):
    with pytest.raises(builtins.ZeroDivisionError), only_writer(tmp_path / "runs" / "run"):
        raise ZeroDivisionError
    assert not (tmp_path / "runs" / "run").exists()


def test_a_process_that_is_killed_lets_go(tmp_path):
    code = (
        "import pathlib, sys\n"
        "from cvpo_jax.runtime.files import only_writer\n"
        "with only_writer(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, tmp_path / "run"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    with pytest.raises(ConfigError, match=f"process {process.pid} "):
        only_writer(tmp_path / "run").__enter__()
    process.kill()
    process.communicate()
    with only_writer(tmp_path / "run"):
        pass


def test_where_there_are_no_locks_the_folder_is_used_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("fcntl.flock", failing(errno.ENOLCK))
    with only_writer(tmp_path / "run"), only_writer(tmp_path / "run"):
        pass
