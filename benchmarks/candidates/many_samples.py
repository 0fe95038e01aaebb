"""``fit.py`` on as many generated samples of 16 features as ``--samples`` says."""

import sys
from typing import Any, ClassVar

import torch
from torch import Tensor

from litmlp.commands.fit import main
from litmlp.errors import UsageError
from litmlp.randomness import GENERATE, generator
from litmlp.tasks.task import Task


class ManySamples(Task):
    """Is the first half of the features larger in sum than the second?

    Args:
        samples: training samples to generate.
        batch_size: samples in a training step, on each process.
        seed: of everything random.
        data_dir: not looked at.

    Raises:
        UsageError: if a value is out of its range.
    """

    sample_shape = (16,)
    classes = ("no", "yes")
    validation_samples = 10_000
    recommended: ClassVar[dict[str, Any]] = {"hidden": [64, 64], "batch_size": 1024, "max_epochs": 3}
    TEST_SAMPLES = 10_000

    def __init__(self, samples: int = 1_000_000, batch_size: int = 64, seed: int = 0, data_dir: str = "data") -> None:
        super().__init__(batch_size, seed, data_dir)
        if samples < 1:
            raise UsageError(f"--samples {samples}: must be at least 1")
        self.samples = samples

    def load(self, train: bool) -> tuple[Tensor, Tensor]:
        """Features (n, 16), uniform from 0 to 1, and classes (n,)."""
        samples = self.samples + self.validation_samples if train else self.TEST_SAMPLES
        features = torch.rand(samples, 16, generator=generator(self.seed, GENERATE, int(train)))
        return features, (features[:, :8].sum(1) > features[:, 8:].sum(1)).long()


if __name__ == "__main__":
    main(["--task", "benchmarks.candidates.many_samples:ManySamples", *sys.argv[1:]])
