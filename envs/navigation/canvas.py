"""A canvas in world coordinates: discs, rotated boxes, lines, sectors and text, antialiased by drawing larger.

Coordinates are in meters with y upwards, angles in radians, colors RGBA in 0..255.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Color = tuple[int, int, int, int]
_OVERSAMPLING = 2


class Canvas:
    """A square picture of `size` pixels that shows `half` meters on each side of `center`."""

    def __init__(self, size: int, center: tuple[float, float], half: float, background: Color) -> None:
        self._size = size
        self._pixels = size * _OVERSAMPLING
        self._center = center
        self._half = half
        self._image = Image.new("RGB", (self._pixels, self._pixels), background[:3])
        self._draw = ImageDraw.Draw(self._image, "RGBA")

    def _scale(self, length: float) -> float:
        return length * self._pixels / (2 * self._half)

    def _at(self, point: np.ndarray) -> tuple[float, float]:
        x, y = (float(point[axis]) - self._center[axis] for axis in (0, 1))
        return self._scale(x + self._half), self._scale(self._half - y)

    def _around(self, center: np.ndarray, radius: float) -> list[float]:
        x, y = self._at(center)
        reach = self._scale(radius)
        return [x - reach, y - reach, x + reach, y + reach]

    def disc(self, center: np.ndarray, radius: float, fill: Color | None, edge: Color | None = None) -> None:
        """Draw a disc, with a thin rim of color `edge`."""
        self._draw.ellipse(self._around(center, radius), fill=fill, outline=edge, width=2 * _OVERSAMPLING)

    def ring(self, center: np.ndarray, radius: float, width: float, color: Color) -> None:
        """Draw a ring, `width` m wide inside `radius`."""
        pixels = max(1, round(self._scale(width)))
        self._draw.ellipse(self._around(center, radius), outline=color, width=pixels)

    def sector(self, center: np.ndarray, radius: float, width: float, angle: float, span: float, color: Color) -> None:
        """Draw part of a ring: `span` rad counterclockwise from `angle`."""
        start, end = -np.degrees(angle + span), -np.degrees(angle)
        self._draw.arc(self._around(center, radius), start, end, fill=color, width=max(1, round(self._scale(width))))

    def box(
        self, center: np.ndarray, half: tuple[float, float], angle: float, fill: Color, edge: Color | None = None
    ) -> None:
        """Draw a rectangle with half sides `half`, rotated by `angle`."""
        cos, sin = np.cos(angle), np.sin(angle)
        corners = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * half
        rotated = corners @ np.array([[cos, sin], [-sin, cos]]) + np.asarray(center)[:2]
        self._draw.polygon([self._at(corner) for corner in rotated], fill=fill, outline=edge, width=_OVERSAMPLING)

    def path(self, points: np.ndarray, color: Color, width: float) -> None:
        """Draw a line through `points` `[n, 2]`."""
        if len(points) > 1:
            pixels = max(1, round(self._scale(width)))
            self._draw.line([self._at(point) for point in points], fill=color, width=pixels, joint="curve")

    def grid(self, spacing: float, color: Color) -> None:
        """Draw a grid with a line every `spacing` m."""
        for axis in (0, 1):
            low, high = self._center[axis] - self._half, self._center[axis] + self._half
            for value in np.arange(np.ceil(low / spacing) * spacing, high, spacing):
                ends = np.array(self._center) + np.array([[-self._half] * 2, [self._half] * 2])
                ends[:, axis] = value
                self._draw.line([self._at(end) for end in ends], fill=color, width=_OVERSAMPLING)

    def border(self, color: Color, pixels: int) -> None:
        """Draw a frame along the edge of the picture."""
        self._draw.rectangle([0, 0, self._pixels - 1, self._pixels - 1], outline=color, width=pixels * _OVERSAMPLING)

    def text(self, line: int, words: str, color: Color) -> None:
        """Write a line of text on a light ground in the top left corner; `line` counts from 0."""
        _write(self._draw, self._pixels, line, words, color)

    def pixels(self) -> np.ndarray:
        """The finished picture, uint8 `[size, size, 3]`."""
        return np.asarray(self._image.resize((self._size, self._size), Image.Resampling.LANCZOS))


def caption(picture: np.ndarray, lines: Sequence[tuple[str, Color]]) -> np.ndarray:
    """A picture, uint8 `[H, W, 3]`, with lines of text in its top left corner."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image, "RGBA")
    for number, (words, color) in enumerate(lines):
        _write(draw, image.height, number, words, color)
    return np.asarray(image)


def _write(draw: ImageDraw.ImageDraw, pixels: int, line: int, words: str, color: Color) -> None:
    """Write a line of text on a light ground in the corner of a picture that is `pixels` high."""
    height = pixels // 30
    font = ImageFont.load_default(height)
    corner = (height // 2, height // 2 + line * height * 1.45)
    box = draw.textbbox(corner, words, font=font)
    ground = [box[0] - height / 4, box[1] - height / 5, box[2] + height / 4, box[3] + height / 5]
    draw.rounded_rectangle(ground, radius=height // 5, fill=(255, 255, 255, 200))
    draw.text(corner, words, font=font, fill=color)
