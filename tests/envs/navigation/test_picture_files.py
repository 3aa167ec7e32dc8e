"""Pictures as files, and the program that makes films of them."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from envs.host.protocol import RenderingError
from envs.navigation import picture_files

SHOTS = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
STAND_IN = """#!/bin/sh
for last; do :; done
cat > "$last"
echo "$@" > "$last.words"
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that programs are looked for in, after which there is no other."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")
    return folder


def put(program: Path, script: str) -> None:
    program.write_text(script)
    program.chmod(0o755)


def test_a_film_is_made_of_all_frames_by_ffmpeg(programs: Path, tmp_path: Path) -> None:
    put(programs / "ffmpeg", STAND_IN)
    path = tmp_path / "film.mp4"
    picture_files.write(path, SHOTS, 0.04)
    assert path.read_bytes() == SHOTS.tobytes()
    words = (tmp_path / "film.mp4.words").read_text()
    assert "-s 4x3 -r 25 -i - " in words


def test_what_ffmpeg_says_is_told_in_one_line(programs: Path, tmp_path: Path) -> None:
    put(programs / "ffmpeg", "#!/bin/sh\ncat > /dev/null\necho one >&2\necho no encoder >&2\nexit 1\n")
    with pytest.raises(RenderingError, match=r'^cannot draw to "film.mp4": ffmpeg says no encoder; try a \.gif$'):
        picture_files.write(tmp_path / "film.mp4", SHOTS, 0.04)


def test_without_ffmpeg_the_remedy_is_told_before_anything_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_files.shutil, "which", lambda _: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(RenderingError, match=r"there is no ffmpeg: .* or write a \.gif$"):
        picture_files.check_suffix(Path("film.mp4"))


def test_pictures_are_fitted_by_their_longer_side() -> None:
    assert picture_files.fitted(SHOTS[0], 8).shape == (6, 8, 3)
    assert picture_files.fitted(SHOTS[0].transpose(1, 0, 2), 2).shape == (2, 2, 3)
    assert (picture_files.fitted(SHOTS[0], 4) == SHOTS[0]).all()
