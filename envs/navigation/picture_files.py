"""Pictures as files: one as .png, a course of them as .gif or, where there is the program ffmpeg, as .mp4.

Notation: F frames of H by W pixels.
"""

import importlib.util
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from envs.host.protocol import RenderingError

SUFFIXES = (".png", ".gif", ".mp4")
_FFMPEG = "apt-get install ffmpeg, or python -m pip install imageio-ffmpeg, or write a .gif"
_GAP = 4  # pixels between the pictures of a sheet
# Most players want even sides, and no more than this way of storing colors.
_PLAYABLE = ("-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p")


def write(path: str | Path, shots: np.ndarray, seconds: float) -> None:
    """Write frames, uint8 `[F, H, W, 3]`, to a .gif or .mp4 that shows each for `seconds`, or the last one to a .png.

    Raises ValueError for other suffixes, and RenderingError where ffmpeg is missing or fails.
    """
    path = Path(path)
    check_suffix(path)
    if path.suffix == ".png":
        Image.fromarray(shots[-1]).save(path)
    elif path.suffix == ".gif":
        images = [Image.fromarray(shot).quantize(128, Image.Quantize.FASTOCTREE) for shot in shots]
        duration = max(20, round(1000 * seconds))  # viewers ignore shorter ones
        images[0].save(path, save_all=True, append_images=images[1:], duration=duration, loop=0, optimize=False)
    else:
        _encode(path, shots, seconds)


def check_suffix(path: Path) -> None:
    """Raise ValueError, or RenderingError without ffmpeg, unless `write` can write to `path`."""
    if path.suffix not in SUFFIXES:
        raise ValueError(f'cannot draw to "{path.name}": the suffix must be .png, .gif or .mp4')
    if path.suffix == ".mp4":
        _ffmpeg(path)


def sheet(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures, uint8 `[F, H, W, 3]` a row, side by side in one, `[H', W', 3]`; a single row is broken in two."""
    if len(rows) == 1:
        half = -(-len(rows[0]) // 2)
        rows = [part for part in (rows[0][:half], rows[0][half:]) if len(part)]
    most = max(map(len, rows))
    edges = ((_GAP, 0), (_GAP, 0), (0, 0))
    padded = [np.pad(row, ((0, most - len(row)), *edges), constant_values=255) for row in rows]
    return np.concatenate([np.concatenate(list(row), axis=1) for row in padded])


def fitted(picture: np.ndarray, size: int) -> np.ndarray:
    """A picture, uint8 `[H, W, 3]`, enlarged or reduced so that its longer side has `size` pixels."""
    height, width, _ = picture.shape
    share = size / max(height, width)
    if share == 1:
        return picture
    sides = max(1, round(width * share)), max(1, round(height * share))
    return np.asarray(Image.fromarray(picture).resize(sides, Image.Resampling.LANCZOS))


def _encode(path: Path, shots: np.ndarray, seconds: float) -> None:
    """Pipe the frames through ffmpeg."""
    _, height, width, _ = shots.shape
    given: Sequence[str] = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{1 / seconds:g}")
    words = [_ffmpeg(path), "-y", "-loglevel", "error", *given, "-i", "-", *_PLAYABLE, str(path)]
    done = subprocess.run(words, input=shots.tobytes(), capture_output=True)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise RenderingError(f'cannot draw to "{path.name}": ffmpeg says {said[-1] if said else "nothing"}; try a .gif')


def _ffmpeg(path: Path) -> str:
    """The program, of the system or of the package imageio-ffmpeg; raises RenderingError where there is none."""
    found = shutil.which("ffmpeg")
    if found is None and importlib.util.find_spec("imageio_ffmpeg") is not None:
        import imageio_ffmpeg

        found = imageio_ffmpeg.get_ffmpeg_exe()
    if found is None:
        raise RenderingError(f'cannot draw to "{path.name}": there is no ffmpeg: {_FFMPEG}')
    return found
