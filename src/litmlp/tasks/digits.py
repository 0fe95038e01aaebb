"""1,797 real handwritten digits that ship with the package."""

from importlib.resources import files
from typing import Any, ClassVar

import numpy
import torch
from torch import Tensor

from litmlp.model.spec import ImageForm
from litmlp.tasks.task import Task


class Digits(Task):
    """8×8 images of handwritten digits, with values from 0 to 16.

    Source: Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI Machine Learning
    Repository, https://doi.org/10.24432/C50P49, CC BY 4.0: its 1,797 test samples, in their order. Every fifth
    of them is our test set, so that it holds digits of each writer.
    """

    sample_shape = (1, 8, 8)
    classes = tuple("0123456789")
    validation_samples = 180
    kind = "drawing"
    # Measured on the data: all of it 8 rows high, most of it 6 columns wide, with strokes of a fifth of the height.
    image = ImageForm(box=(8, 6), centre="bounds", white=16, stroke=0.2, squeezed=True)
    recommended: ClassVar[dict[str, Any]] = {
        "hidden": [256, 128],
        "dropout": 0.2,
        "lr": 3e-3,
        "schedule": "one_cycle",
        "batch_size": 64,
        "max_epochs": 30,
    }

    def load(self, train: bool) -> tuple[Tensor, Tensor]:
        """Images (1438 or 359, 1, 8, 8) as bytes and digits (1438 or 359,)."""
        with (files("litmlp.tasks") / "digits.npz").open("rb") as file:
            data = numpy.load(file)
            images = torch.from_numpy(data["images"]).unsqueeze(1)  # (1797, 1, 8, 8)
            digits = torch.from_numpy(data["labels"]).long()  # (1797,)
        in_test = torch.arange(len(images)) % 5 == 4  # (1797,)
        chosen = ~in_test if train else in_test
        return images[chosen], digits[chosen]
