"""Deformed copies of the training images, different in every batch, made on the device that the model is on."""

import math
from typing import Any, TypedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

from litmlp.errors import UsageError
from litmlp.ranges import check_ranges


class Magnitudes(TypedDict, total=False):
    """How much images are deformed; what is left out is 0.

    Attributes:
        rotation: degrees, up to which an image is turned to either side.
        scale: fraction, up to which its width and its height become larger or smaller, each by itself.
        shear: degrees, up to which its vertical lines lean to either side.
        shift: pixels, up to which it moves in each direction.
        elastic: pixels; the std of each pixel's own displacement, which its neighbours share.
        flip: probability that left and right change places.
        erase: probability that a rectangle of 2 to 33 % of the image is blanked.
    """

    rotation: float
    scale: float
    shear: float
    shift: float
    elastic: float
    flip: float
    erase: float


GEOMETRY = ("rotation", "scale", "shear", "shift", "elastic", "flip")


class Augment(nn.Module):
    """Deforms images, each by draws of its own. Only training calls it.

    Like dropout, it draws from the default generator, which is seeded for each step: so a resumed run deforms
    as an uninterrupted one. All deformations of an image's geometry are worked out first and sampled once,
    bilinearly. (torchvision's transforms would draw once for a whole batch, and sample once for each of them.)
    What comes in from outside of the image is 0, the background of raw images.

    Elastic displacements are white noise, smoothed by a Gaussian (Simard, Steinkraus and Platt, 2003; their 4
    pixels for images of 28 pixels). Erasing is that of Zhong et al. (2017, arXiv:1708.04896), with zeros.

    Args:
        sample_shape: (channels, height, width).
        magnitudes: see :class:`Magnitudes`.

    Raises:
        UsageError: if samples are no images, or a strength is unknown or out of its range.
    """

    def __init__(self, sample_shape: tuple[int, ...], magnitudes: Magnitudes) -> None:
        super().__init__()
        check(sample_shape, magnitudes)
        self.magnitudes = magnitudes
        height, width = sample_shape[1:]
        y, x = torch.arange(height) - (height - 1) / 2, torch.arange(width) - (width - 1) / 2  # (height,), (width,)
        self.coordinates: Tensor  # of the pixels, from the image's centre
        self.register_buffer(
            "coordinates",
            torch.stack([x.repeat(height), y.repeat_interleave(width), torch.ones(height * width)]),
            False,
        )  # (3, height · width)
        self.half_size: Tensor  # of a sampling grid, which goes from -1 to 1, in pixels
        self.register_buffer("half_size", torch.tensor([width / 2, height / 2]), False)  # (2,)
        self.smooth_rows: Tensor
        self.register_buffer("smooth_rows", gaussian(height), False)  # (height, knots)
        self.smooth_columns: Tensor
        self.register_buffer("smooth_columns", gaussian(width), False)  # (width, knots)

    def forward(self, images: Tensor) -> Tensor:
        """Images (batch, channels, height, width), deformed, as float32."""
        images = images.float()
        with torch.autocast(images.device.type, enabled=False):  # bfloat16 is too coarse for coordinates
            if any(self.magnitudes.get(name) for name in GEOMETRY):
                batch, _, height, width = images.shape
                coordinates = (self._affine(batch) @ self.coordinates.float()).view(batch, 2, height, width)
                if self.magnitudes.get("elastic"):
                    coordinates = coordinates + self._elastic(batch)
                grid = coordinates.movedim(1, 3) / self.half_size.float()  # (batch, height, width, 2)
                images = functional.grid_sample(images, grid, align_corners=False)  # (batch, channels, height, width)
            if self.magnitudes.get("erase"):
                images = images.masked_fill(self._rectangles(images), 0.0)
        return images

    @property
    def _float32(self) -> dict[str, Any]:
        """How to make tensors to compute with: Lightning changes torch's default type to that of --precision."""
        return {"device": self.half_size.device, "dtype": torch.float32}

    def _affine(self, batch: int) -> Tensor:
        """For each image, the map from coordinates in the result to those in it: x and y in turn (batch · 2, 3)."""
        draws = torch.rand(7, batch, **self._float32)  # (7, batch)
        rotation, shear, scale_x, scale_y, shift_x, shift_y = 2 * draws[:6] - 1  # (batch,) each, from -1 to 1
        angle = math.radians(self.magnitudes.get("rotation", 0.0)) * rotation
        cosine, sine = torch.cos(angle), torch.sin(angle)
        lean = torch.tan(math.radians(self.magnitudes.get("shear", 0.0)) * shear)
        x, y = (1 / (1 + self.magnitudes.get("scale", 0.0) * scale) for scale in (scale_x, scale_y))
        x = torch.where(draws[6] < self.magnitudes.get("flip", 0.0), -x, x)
        shift = self.magnitudes.get("shift", 0.0)
        to_x = [x * cosine, x * (lean * cosine - sine), shift * shift_x]
        to_y = [y * sine, y * (lean * sine + cosine), shift * shift_y]
        return torch.stack([*to_x, *to_y], 1).view(-1, 3)

    def _elastic(self, batch: int) -> Tensor:
        """Displacements in x and y (batch, 2, height, width), in pixels."""
        knots = self.smooth_columns.shape[1], self.smooth_rows.shape[1]
        noise = torch.randn(batch, 2, *knots, **self._float32)  # (batch, 2, knots, knots)
        rows = functional.linear(noise, self.smooth_rows.float())  # (batch, 2, knots, height)
        return self.magnitudes["elastic"] * functional.linear(rows.mT, self.smooth_columns.float())

    def _rectangles(self, images: Tensor) -> Tensor:
        """True (batch, 1, height, width) where an image is to be blanked."""
        batch, _, height, width = images.shape
        draws = torch.rand(5, batch, 1, **self._float32)  # (5, batch, 1)
        area = (0.02 + (0.33 - 0.02) * draws[0]) * height * width
        aspect = torch.exp((2 * draws[1] - 1) * math.log(1 / 0.3))
        tall, wide = (area * aspect).sqrt().clamp(max=height), (area / aspect).sqrt().clamp(max=width)  # (batch, 1)
        top, left = draws[2] * (height - tall), draws[3] * (width - wide)  # (batch, 1)
        y, x = (torch.arange(side, **self._float32) + 0.5 for side in (height, width))  # (height,), (width,)
        rows = (y >= top) & (y < top + tall) & (draws[4] < self.magnitudes["erase"])  # (batch, height)
        columns = (x >= left) & (x < left + wide)  # (batch, width)
        return (rows[:, :, None] & columns[:, None, :])[:, None]


def gaussian(side: int) -> Tensor:
    """A matrix (side, knots) that spreads white noise over a side's pixels, smoothed and with variance 1 everywhere.

    The Gaussian's std is a seventh of the side; noise at a knot for each of these is enough.
    """
    knots = torch.linspace(0, side - 1, 8)
    distances = (torch.arange(side)[:, None] - knots) / (side / 7)  # (side, knots)
    weights: Tensor = torch.exp(-distances.square() / 2)
    return functional.normalize(weights, dim=1)


def check(sample_shape: tuple[int, ...], magnitudes: Magnitudes) -> None:
    """Raise a UsageError if samples are no images, or a magnitude is unknown or out of its range."""
    if len(sample_shape) != 3:
        raise UsageError(f"--augment {magnitudes} needs images, but a sample of this task has shape {sample_shape}")
    for name in magnitudes:
        if name not in Magnitudes.__annotations__:
            known = ", ".join(Magnitudes.__annotations__)
            raise UsageError(f"--augment.{name}: there is no such deformation; there are {known}")
    check_ranges(magnitudes, "augment.")
