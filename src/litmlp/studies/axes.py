"""A square with two axes, that charts of numbers are drawn into."""

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw

from litmlp.studies.charts import GAP, INK, LINE, PAPER, Colour, width_of, write

SIDE = 504  # pixels of the square
THICK = 4  # pixels of a line, so that some are left where TensorBoard leaves pixels out
PALE, GREY = (235, 235, 235), (140, 140, 140)
MOST_STEPS = 7  # between an axis's ticks
PADDING = 0.02  # of the range of values, at both ends

Range = tuple[float, float]
Point = tuple[float, float]


class Plane:
    """A chart with a square of ``SIDE`` pixels, whose axes have ticks and titles.

    Args:
        titles: of the axis to the right and of the one upwards.
        across: the range of values to the right.
        up: the range upwards.
        below: pixels that are left free below the ticks.

    Attributes:
        chart: the image.
        left: x of the square's left side, in pixels.
        top: y of its upper side.
    """

    def __init__(self, titles: tuple[str, str], across: Range, up: Range, below: int = 0) -> None:
        self.across, self.up = across, up
        marks = ticks(*across), ticks(*up)
        labels = [number_text(value) for value in marks[1]]
        self.left, self.top = LINE + max(map(width_of, labels)) + 2 * GAP, LINE // 2
        right, bottom = self.left + SIDE, self.top + SIDE
        half = width_of(number_text(marks[0][-1])) // 2
        self.chart = Image.new("RGB", (right + max(GAP, half), bottom + 2 * LINE + GAP + below), PAPER)
        draw = ImageDraw.Draw(self.chart)
        for value in marks[0]:
            x = self.at((value, up[0]))[0]
            draw.line([(x, self.top), (x, bottom)], PALE, 2)
            write(self.chart, number_text(value), (x, bottom + LINE // 2))
        for value, label in zip(marks[1], labels, strict=True):
            y = self.at((across[0], value))[1]
            draw.line([(self.left, y), (right, y)], PALE, 2)
            write(self.chart, label, (self.left - GAP // 2, y), right=True)
        draw.rectangle([(self.left, self.top), (right, bottom)], outline=GREY, width=2)
        write(self.chart, titles[0], (self.left + SIDE // 2, self.chart.height - LINE // 2 - GAP // 2))
        write(self.chart, titles[1], (LINE // 2, self.top + SIDE // 2), turned=True)

    def at(self, point: Point) -> tuple[int, int]:
        """The pixel of a point."""
        x, y = ((value - low) / (high - low) for value, (low, high) in zip(point, (self.across, self.up), strict=True))
        return self.left + round(SIDE * x), self.top + round(SIDE * (1 - y))

    def line(self, points: Sequence[Point], colour: Colour = INK, width: int = THICK) -> None:
        """Draw a line through points."""
        ImageDraw.Draw(self.chart).line([self.at(point) for point in points], colour, width, "curve")

    def dot(self, point: Point, colour: Colour, radius: int) -> None:
        """Draw a disc around a point."""
        ImageDraw.Draw(self.chart).circle(self.at(point), radius, colour)


def ticks(low: float, high: float) -> list[float]:
    """Round numbers from low to high, about 4 to 7: a step of 1, 2 or 5 times a power of ten from each other."""
    rough = (high - low) / MOST_STEPS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def number_text(value: float) -> str:
    """A number in few characters: 0.25, 1200, 45k, 1.5M."""
    for size, letter in ((1e6, "M"), (1e4, "k")):
        if size <= abs(value) < 1e9:
            return f"{value / (1e3 if letter == 'k' else size):.4g}{letter}"
    return f"{value:.4g}"


def padded(low: float, high: float) -> Range:
    """A range with some room at both ends, never empty."""
    room = PADDING * (high - low) or max(1e-6, 0.1 * abs(low))
    return low - room, high + room
