"""Brings any drawing, drawn or photographed, to the form that the images of a task's data have: ink on black."""

import numpy
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from PIL.Image import Resampling
from torch import Tensor

from litmlp.errors import Failure
from litmlp.model.spec import ImageForm

Grey = NDArray[numpy.float32]

FAINTEST = 1 / 16  # of the strongest ink; what is fainter doesn't count where the ink's bounds are looked for
NOISE_STDS = 4.0  # a normal variable exceeds them once in 16,000 times
MEDIAN_ABSOLUTE_DEVIATION = 0.6745  # of a normal distribution, in stds
THIN = 0.6  # of the data's stroke; thinner strokes are dilated


def to_drawing(image: Image.Image, form: ImageForm, shape: tuple[int, ...]) -> Tensor:
    """Levels (1, height, width) from 0 to 255: ink on black, from an image that is dark on light or light on dark.

    An image that has the data's size already is taken as it lies, light on dark.

    Raises:
        Failure: if there is nothing on the image.
    """
    height, width = shape[-2:]
    ink = ink_of(grey(image), noise_counts=form.stroke is None)  # (rows, columns), at least 0
    strongest = float(ink.max())
    if strongest < 2:  # of 255 levels
        raise Failure("there is nothing on the image: it is all one shade")
    if ink.shape != (height, width):
        rows, columns = bounds(ink > strongest * FAINTEST)
        ink = ink[rows, columns]
        if form.stroke is not None:
            ink = dilated(ink * (255 / strongest), form.stroke)
        ink = centred(scaled(ink, form), form, height, width)
    return torch.from_numpy(ink.astype(numpy.float32)).unsqueeze(0)


def scaled(ink: Grey, form: ImageForm) -> Grey:
    """The ink as large as it fits into the box."""
    assert form.box is not None
    height, width = ink.shape
    across = min(form.box[0] / height, form.box[1] / width)
    down = form.box[0] / height if form.squeezed else across
    size = max(1, round(width * across)), max(1, round(height * down))
    # The average over the area that becomes a pixel, as the data's authors took it.
    resample = Resampling.BOX if down <= 1 else Resampling.BICUBIC
    return numpy.asarray(Image.fromarray(ink).resize(size, resample), numpy.float32).clip(0, 255)


def centred(ink: Grey, form: ImageForm, height: int, width: int) -> Grey:
    """An image (height, width) with the ink centred on it, and what reaches over the edge cut off."""
    middle = [(length - 1) / 2 for length in ink.shape]
    target = [(height - 1) / 2, (width - 1) / 2]
    if form.centre == "mass":
        middle = [float((ink.sum(1 - axis) * numpy.arange(ink.shape[axis])).sum() / ink.sum()) for axis in (0, 1)]
        target = [height / 2, width / 2]  # so it is in MNIST, whose centres lie within 0.5 of row and column 14
    image = numpy.zeros((height, width), numpy.float32)
    top, left = (round(to - found) for to, found in zip(target, middle, strict=True))
    rows = slice(max(top, 0), min(top + ink.shape[0], height))
    columns = slice(max(left, 0), min(left + ink.shape[1], width))
    image[rows, columns] = ink[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    return image


def dilated(ink: Grey, stroke: float) -> Grey:
    """The ink with strokes that are too thin dilated to ``stroke``, a fraction of the longer side.

    A line of length l and width w has the area l·w and about 2·l pixels on its outline: so w is twice the area
    over the outline.
    """
    mask = numpy.pad(ink > 127, 1)
    inside = mask[1:-1, 1:-1] & mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
    area = int(mask.sum())
    width, wanted = 2 * area / max(area - int(inside.sum()), 1), stroke * max(ink.shape)
    missing = round((wanted - width) / 2)  # on either side
    if width >= THIN * wanted or missing < 1:
        return ink
    page = Image.fromarray(numpy.pad(ink, missing).astype(numpy.uint8))
    return numpy.asarray(page.filter(ImageFilter.MaxFilter(2 * missing + 1)), numpy.float32)


def grey(image: Image.Image) -> Grey:
    """The image's levels (rows, columns) from 0 to 255. What is transparent gets the shade that shows the rest."""
    if not image.has_transparency_data:
        return numpy.asarray(image.convert("L"), numpy.float32)
    shades, opacity = (numpy.array(band, numpy.float32) for band in image.convert("RGBA").convert("LA").split())
    opacity /= numpy.float32(255)
    visible = float((shades * opacity).sum() / max(float(opacity.sum()), 1.0))
    backdrop = numpy.float32(255 if visible < 128 else 0)
    together: Grey = shades * opacity + backdrop * (1 - opacity)
    return together


def ink_of(shades: Grey, noise_counts: bool) -> Grey:
    """How far each pixel is from the background, on that side of it, darker or lighter, that more of the image is.

    Unless ``noise_counts``, single pixels that stand out from a noisy image are no ink, nor is what is as near to
    the background as the noise.
    """
    backdrop, noise = background(shades)
    if noise >= 1 and not noise_counts:
        smoothed = Image.fromarray(numpy.rint(shades).astype(numpy.uint8)).filter(ImageFilter.MedianFilter(5))
        shades = numpy.asarray(smoothed, numpy.float32)
    lighter, darker = (shades - backdrop).clip(min=0), (backdrop - shades).clip(min=0)
    ink: Grey = lighter if lighter.sum() > darker.sum() else darker
    if not noise_counts:
        ink[ink <= NOISE_STDS * noise] = 0
    return ink


def background(shades: Grey) -> tuple[Grey, float]:
    """The level of the background (rows, columns), and the std of its noise, seen from the image's edge.

    It is a plane, since a photo is mostly lit from one side, fitted to those pixels of the edge that are near to their
    median: so ink that reaches the edge doesn't count.
    """
    rows, columns = numpy.mgrid[: shades.shape[0], : shades.shape[1]]
    edge = numpy.ones(shades.shape, bool)
    edge[1:-1, 1:-1] = False
    values = shades[edge]  # (pixels on the edge,)
    far = numpy.abs(values - numpy.median(values))
    near = far <= 3 * numpy.median(far) + 1
    points = numpy.stack([numpy.ones(near.sum()), rows[edge][near], columns[edge][near]], 1)  # (near, 3)
    height, down, right = numpy.linalg.lstsq(points, values[near].astype(float))[0]
    plane: Grey = (height + down * rows + right * columns).astype(numpy.float32)
    return plane, float(numpy.median(numpy.abs(values - plane[edge])[near])) / MEDIAN_ABSOLUTE_DEVIATION


def bounds(mask: NDArray[numpy.bool_]) -> tuple[slice, slice]:
    """The rows and the columns between the first and the last pixel of a mask."""
    rows, columns = numpy.flatnonzero(mask.any(1)), numpy.flatnonzero(mask.any(0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
