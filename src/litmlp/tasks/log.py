"""log(x + y) on the unit square: its sign as a classification, its value as a regression."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from litmlp.randomness import GENERATE, generator
from litmlp.tasks.task import Task


class Log(Task):
    """Is log(x + y) positive? Points uniform on [0, 1)², generated from the seed."""

    sample_shape = (2,)
    kind = "point"
    classes: tuple[str, ...] | None = ("log(x + y) ≤ 0", "log(x + y) > 0")
    validation_samples = 2_000
    recommended: ClassVar[dict[str, Any]] = {
        "hidden": [32, 32],
        "activation": "tanh",
        "lr": 0.01,
        "schedule": "cosine",
        "batch_size": 128,
        "max_epochs": 10,
    }
    TRAIN_SAMPLES, TEST_SAMPLES = 12_000, 10_000

    def points(self, train: bool) -> Tensor:
        """Uniform points (n, 2); the training and the test set come from streams of their own."""
        samples = self.TRAIN_SAMPLES if train else self.TEST_SAMPLES
        return torch.rand(samples, 2, generator=generator(self.seed, GENERATE, int(train)))

    def load(self, train: bool) -> tuple[Tensor, Tensor]:
        """Points (n, 2) and the classes (n,) that they belong to."""
        points = self.points(train)
        return points, (points.sum(1).log() > 0).long()


class LogValue(Log):
    """The number log(x + y), of the same points."""

    classes = None
    recommended: ClassVar[dict[str, Any]] = {**Log.recommended, "hidden": [64, 64], "max_epochs": 40}

    def load(self, train: bool) -> tuple[Tensor, Tensor]:
        """Points (n, 2) and log(x + y) (n, 1)."""
        points = self.points(train)
        return points, points.sum(1, keepdim=True).log()
