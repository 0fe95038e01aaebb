"""Raw samples from numbers that somebody sends or types."""

import math
from typing import Any

import numpy
import torch
from torch import Tensor

from litmlp.errors import Failure
from litmlp.model.spec import Spec

LARGEST_NUMBER = 1e9  # far from any sample, and far from what would make float32 overflow in a network


def samples_from(spec: Spec, numbers: Any) -> Tensor:
    """Raw samples (batch, *sample_shape) from nested lists of numbers. An image's only channel may be left out.

    Raises:
        Failure: if they are of another shape, aren't numbers, or can't be raw samples.
    """
    shape = spec.sample_shape
    short = shape[1:] if len(shape) == 3 and shape[0] == 1 else shape
    try:
        array = numpy.array(numbers)  # (batch, *shape) or (batch, *short)
    except ValueError:
        raise Failure(f"the samples are of different shapes: each must have shape {list(short)}") from None
    if array.shape[1:] not in (shape, short) or len(array) == 0:
        raise Failure(f"the samples have shape {list(array.shape)}: it must be {['n', *short]}, with n at least 1")
    if array.dtype.kind not in "iuf":
        raise Failure("the samples hold something that isn't a number of ordinary size")
    low, high = (-LARGEST_NUMBER, LARGEST_NUMBER) if spec.image is None else (0, spec.image.white)
    smallest, largest = float(array.min()), float(array.max())
    if math.isnan(smallest) or not low <= smallest <= largest <= high:
        meaning = "" if spec.image is None else ", black to white"
        found = smallest if math.isnan(smallest) or smallest < low else largest
        raise Failure(f"the samples hold the number {found}: they must be from {low:g} to {high:g}{meaning}")
    return torch.from_numpy(array.astype(numpy.float32)).reshape(-1, *shape)


def sample_from_text(spec: Spec, text: str) -> Tensor:
    """A sample (*sample_shape) from numbers with commas between them.

    Raises:
        Failure: if it isn't one.
    """
    try:
        numbers = [float(number) for number in text.split(",")]
    except ValueError:
        raise Failure(f"the model takes numbers, {spec.sample_shape[0]} with commas between them") from None
    return samples_from(spec, [numbers])[0]
