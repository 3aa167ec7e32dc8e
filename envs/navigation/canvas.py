"""A canvas in world coordinates: discs, turned boxes, lines, sectors and text, antialiased by drawing larger.

Coordinates are in metres with y upwards, angles in radians, colours RGBA in 0..255.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int, int]
_OVERSAMPLING = 2


class Canvas:
    """A square picture of `size` pixels that shows `half` metres to each side of `centre`."""

    def __init__(self, size: int, centre: tuple[float, float], half: float, background: Colour) -> None:
        self._size = size
        self._pixels = size * _OVERSAMPLING
        self._centre = centre
        self._half = half
        self._image = Image.new("RGB", (self._pixels, self._pixels), background[:3])
        self._draw = ImageDraw.Draw(self._image, "RGBA")

    def _scale(self, length: float) -> float:
        return length * self._pixels / (2 * self._half)

    def _at(self, point: np.ndarray) -> tuple[float, float]:
        x, y = (float(point[axis]) - self._centre[axis] for axis in (0, 1))
        return self._scale(x + self._half), self._scale(self._half - y)

    def _around(self, centre: np.ndarray, radius: float) -> list[float]:
        x, y = self._at(centre)
        reach = self._scale(radius)
        return [x - reach, y - reach, x + reach, y + reach]

    def disc(self, centre: np.ndarray, radius: float, fill: Colour | None, edge: Colour | None = None) -> None:
        """A disc, with a thin rim of colour `edge`."""
        self._draw.ellipse(self._around(centre, radius), fill=fill, outline=edge, width=2 * _OVERSAMPLING)

    def ring(self, centre: np.ndarray, radius: float, width: float, colour: Colour) -> None:
        """A ring `width` m wide inside `radius`."""
        pixels = max(1, round(self._scale(width)))
        self._draw.ellipse(self._around(centre, radius), outline=colour, width=pixels)

    def sector(
        self, centre: np.ndarray, radius: float, width: float, angle: float, span: float, colour: Colour
    ) -> None:
        """Part of a ring: `span` rad from `angle` on, anticlockwise."""
        start, end = -np.degrees(angle + span), -np.degrees(angle)
        self._draw.arc(self._around(centre, radius), start, end, fill=colour, width=max(1, round(self._scale(width))))

    def box(
        self, centre: np.ndarray, half: tuple[float, float], angle: float, fill: Colour, edge: Colour | None = None
    ) -> None:
        """A rectangle with half sides `half`, turned by `angle`."""
        cos, sin = np.cos(angle), np.sin(angle)
        corners = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * half
        turned = corners @ np.array([[cos, sin], [-sin, cos]]) + np.asarray(centre)[:2]
        self._draw.polygon([self._at(corner) for corner in turned], fill=fill, outline=edge, width=_OVERSAMPLING)

    def path(self, points: np.ndarray, colour: Colour, width: float) -> None:
        """A line through `points` `[n, 2]`."""
        if len(points) > 1:
            pixels = max(1, round(self._scale(width)))
            self._draw.line([self._at(point) for point in points], fill=colour, width=pixels, joint="curve")

    def grid(self, spacing: float, colour: Colour) -> None:
        """Lines every `spacing` m."""
        for axis in (0, 1):
            low, high = self._centre[axis] - self._half, self._centre[axis] + self._half
            for value in np.arange(np.ceil(low / spacing) * spacing, high, spacing):
                ends = np.array(self._centre) + np.array([[-self._half] * 2, [self._half] * 2])
                ends[:, axis] = value
                self._draw.line([self._at(end) for end in ends], fill=colour, width=_OVERSAMPLING)

    def border(self, colour: Colour, pixels: int) -> None:
        """A frame along the picture's edge."""
        self._draw.rectangle([0, 0, self._pixels - 1, self._pixels - 1], outline=colour, width=pixels * _OVERSAMPLING)

    def text(self, line: int, words: str, colour: Colour) -> None:
        """A line of text in the top left corner, on a light ground; `line` counts from 0."""
        _write(self._draw, self._pixels, line, words, colour)

    def pixels(self) -> np.ndarray:
        """The picture, uint8 `[size, size, 3]`."""
        return np.asarray(self._image.resize((self._size, self._size), Image.Resampling.LANCZOS))


def caption(picture: np.ndarray, lines: Sequence[tuple[str, Colour]]) -> np.ndarray:
    """A picture, uint8 `[H, W, 3]`, with lines of text in its top left corner."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image, "RGBA")
    for number, (words, colour) in enumerate(lines):
        _write(draw, image.height, number, words, colour)
    return np.asarray(image)


def _write(draw: ImageDraw.ImageDraw, pixels: int, line: int, words: str, colour: Colour) -> None:
    """A line of text on a light ground in the corner of a picture `pixels` high."""
    height = pixels // 30
    font = ImageFont.load_default(height)
    corner = (height // 2, height // 2 + line * height * 1.45)
    box = draw.textbbox(corner, words, font=font)
    ground = [box[0] - height / 4, box[1] - height / 5, box[2] + height / 4, box[3] + height / 5]
    draw.rounded_rectangle(ground, radius=height // 5, fill=(255, 255, 255, 200))
    draw.text(corner, words, font=font, fill=colour)
