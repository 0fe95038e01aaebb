"""Brings any picture, a photo or a drawing, to the form that the images of a task's data have."""

from dataclasses import dataclass
from typing import Literal

import numpy
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from PIL.Image import Resampling
from torch import Tensor

from litmlp.errors import Failure

Grey = NDArray[numpy.float32]

FAINTEST = 1 / 16  # of the strongest ink; what is fainter doesn't count where the ink's bounds are looked for
DEVIATIONS_OF_NOISE = 4.0  # a normal deviate exceeds them once in 16,000 times
MEDIAN_DEVIATION = 0.6745  # of a normal distribution, in standard deviations
THIN = 0.6  # of the data's stroke; thinner strokes are widened


@dataclass(frozen=True)
class Ink:
    """How the images of a task's data were made: grey, light ink on black.

    Attributes:
        box: rows and columns that the ink is scaled to fit into.
        squeezed: whether ink that is too wide for the box at its full height is squeezed, instead of made smaller.
        centre: what is put in the middle: the ink's centre of mass, or its bounds.
        white: the value of the strongest ink.
        stroke: the usual width of a stroke, as a share of the longer side of the ink's bounds. None where the
            images are photos of things instead, which keep their shades.
    """

    box: tuple[int, int]
    centre: Literal["mass", "bounds"]
    white: int = 255
    stroke: float | None = None
    squeezed: bool = False

    def sample(self, picture: Image.Image, shape: tuple[int, ...]) -> Tensor:
        """A sample (1, height, width) of bytes from a picture: dark on light or light on dark, of any size.

        A picture that has the data's size already is taken as it lies, light on dark.

        Raises:
            Failure: if there is nothing on the picture.
        """
        height, width = shape[-2:]
        ink = ink_of(grey(picture), noise_counts=self.stroke is None)  # (rows, columns), at least 0
        strongest = float(ink.max())
        if strongest < 2:  # of 255 levels
            raise Failure("there is nothing on the picture: it is all one shade")
        if ink.shape == (height, width):
            image = ink
        else:
            rows, columns = bounds(ink > strongest * FAINTEST)
            ink = ink[rows, columns]
            if self.stroke is not None:
                ink = widened(ink * (255 / strongest), self.stroke)
            image = self._place(self._scale(ink), height, width)
        return torch.from_numpy(numpy.rint(image * (self.white / 255)).astype(numpy.uint8)).unsqueeze(0)

    def _scale(self, ink: Grey) -> Grey:
        """The ink as large as it fits into the box."""
        height, width = ink.shape
        across = min(self.box[0] / height, self.box[1] / width)
        down = self.box[0] / height if self.squeezed else across
        size = max(1, round(width * across)), max(1, round(height * down))
        # The average over the area that becomes a pixel, as the data's authors took it.
        way = Resampling.BOX if down <= 1 else Resampling.BICUBIC
        return numpy.asarray(Image.fromarray(ink).resize(size, way), numpy.float32).clip(0, 255)

    def _place(self, ink: Grey, height: int, width: int) -> Grey:
        """An image with the ink centred on it, and what reaches over the edge cut off."""
        middle = [(length - 1) / 2 for length in ink.shape]
        target = [(height - 1) / 2, (width - 1) / 2]
        if self.centre == "mass":
            middle = [float((ink.sum(1 - axis) * numpy.arange(ink.shape[axis])).sum() / ink.sum()) for axis in (0, 1)]
            target = [height / 2, width / 2]  # so it is in MNIST, whose centres lie within 0.5 of row and column 14
        image = numpy.zeros((height, width), numpy.float32)
        top, left = (round(there - here) for there, here in zip(target, middle, strict=True))
        rows = slice(max(top, 0), min(top + ink.shape[0], height))
        columns = slice(max(left, 0), min(left + ink.shape[1], width))
        image[rows, columns] = ink[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        return image


def widened(ink: Grey, stroke: float) -> Grey:
    """The ink with strokes that are too thin widened to ``stroke``, a share of the longer side.

    A line of length l and width w has the area l·w and about 2·l pixels on its outline: so w is twice the area
    over the outline.
    """
    there = numpy.pad(ink > 127, 1)
    inside = there[1:-1, 1:-1] & there[:-2, 1:-1] & there[2:, 1:-1] & there[1:-1, :-2] & there[1:-1, 2:]
    area = int(there.sum())
    width, wanted = 2 * area / max(area - int(inside.sum()), 1), stroke * max(ink.shape)
    missing = round((wanted - width) / 2)  # on either side
    if width >= THIN * wanted or missing < 1:
        return ink
    page = Image.fromarray(numpy.pad(ink, missing).astype(numpy.uint8))
    return numpy.asarray(page.filter(ImageFilter.MaxFilter(2 * missing + 1)), numpy.float32)


def grey(picture: Image.Image) -> Grey:
    """The picture's shades (rows, columns) from 0 to 255. What is transparent gets the shade that shows the rest."""
    if not picture.has_transparency_data:
        return numpy.asarray(picture.convert("L"), numpy.float32)
    shades, opacity = (numpy.array(band, numpy.float32) for band in picture.convert("RGBA").convert("LA").split())
    opacity /= numpy.float32(255)
    visible = float((shades * opacity).sum() / max(float(opacity.sum()), 1.0))
    behind = numpy.float32(255 if visible < 128 else 0)
    together: Grey = shades * opacity + behind * (1 - opacity)
    return together


def ink_of(shades: Grey, noise_counts: bool) -> Grey:
    """How far each pixel is from the background, on that side of it, darker or lighter, that more of the picture is.

    Unless ``noise_counts``, single pixels that stand out from a noisy picture are no ink, nor is what is as near to
    the background as the noise.
    """
    behind, noise = background(shades)
    if noise >= 1 and not noise_counts:
        smoothed = Image.fromarray(numpy.rint(shades).astype(numpy.uint8)).filter(ImageFilter.MedianFilter(5))
        shades = numpy.asarray(smoothed, numpy.float32)
    lighter, darker = (shades - behind).clip(min=0), (behind - shades).clip(min=0)
    ink: Grey = lighter if lighter.sum() > darker.sum() else darker
    if not noise_counts:
        ink[ink <= DEVIATIONS_OF_NOISE * noise] = 0
    return ink


def background(shades: Grey) -> tuple[Grey, float]:
    """The shade behind the ink (rows, columns), and its noise as a standard deviation, seen from the picture's edge.

    It is a plane, since a photo is mostly lit from one side, fitted to those pixels of the edge that are near to their
    median: so ink that reaches the edge doesn't count.
    """
    rows, columns = numpy.mgrid[: shades.shape[0], : shades.shape[1]]
    edge = numpy.ones(shades.shape, bool)
    edge[1:-1, 1:-1] = False
    values = shades[edge]  # (pixels on the edge,)
    far = numpy.abs(values - numpy.median(values))
    near = far <= 3 * numpy.median(far) + 1
    places = numpy.stack([numpy.ones(near.sum()), rows[edge][near], columns[edge][near]], 1)  # (near, 3)
    height, down, right = numpy.linalg.lstsq(places, values[near].astype(float))[0]
    plane: Grey = (height + down * rows + right * columns).astype(numpy.float32)
    return plane, float(numpy.median(numpy.abs(values - plane[edge])[near])) / MEDIAN_DEVIATION


def bounds(there: NDArray[numpy.bool_]) -> tuple[slice, slice]:
    """The rows and the columns between the first and the last pixel that is there."""
    rows, columns = numpy.flatnonzero(there.any(1)), numpy.flatnonzero(there.any(0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
