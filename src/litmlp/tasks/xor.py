"""The exclusive or of two bits: the smallest task that a linear model can't learn."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from litmlp.tasks.task import Task


class XOR(Task):
    """The four rows of the truth table, for training, validation and test alike.

    An epoch holds 64 copies of each row, so that a short run isn't mostly ends of epochs.
    """

    sample_shape = (2,)
    kind = "bits"
    classes = ("0", "1")
    recommended: ClassVar[dict[str, Any]] = {
        "hidden": [16],
        "activation": "tanh",
        "lr": 0.02,
        "batch_size": 4,
        "max_epochs": 5,
    }
    COPIES = 64

    def load(self, train: bool) -> tuple[Tensor, Tensor]:
        """Bits (4, 2) and their exclusive or (4,); for training, ``COPIES`` times over."""
        bits = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=torch.uint8)  # (4, 2)
        targets = (bits[:, 0] ^ bits[:, 1]).long()  # (4,)
        return (bits.repeat(self.COPIES, 1), targets.repeat(self.COPIES)) if train else (bits, targets)

    def summary(self, model: Callable[[Tensor], Tensor]) -> list[str]:
        """The truth table, with the prediction beside each row."""
        samples, targets = self.split("test")
        rows = zip(samples.tolist(), targets.tolist(), model(samples).argmax(1).tolist(), strict=True)
        return ["x y  x^y  predicted", *(f"{x} {y}   {target}    {answer}" for (x, y), target, answer in rows)]
