"""The contract between a task and everything else."""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from litmlp.errors import UsageError
from litmlp.ink import Ink
from litmlp.loader import Batch, BatchLoader, mean_and_deviation
from litmlp.randomness import SPLIT, generator


class Task(LightningDataModule):
    """A data set, what is to be learned from it, and the settings that we recommend for it.

    A subclass sets the class attributes and defines :meth:`load`; that is all. The samples stay in memory as
    they are loaded (images as bytes), on the device that the Trainer chose.

    Args:
        batch_size: samples in a training step, on each process.
        seed: of everything random: the split, generated data, initial weights, order of the samples, dropout.
        data_dir: folder of the data sets that are downloaded on first use; other tasks don't look at it.

    Raises:
        UsageError: if a value is out of its range.

    Attributes:
        sample_shape: (features,) or, for images, (channels, height, width).
        classes: names of the classes in the order of their indices; None for a regression.
        outputs: numbers that a regression predicts.
        validation_samples: how many training samples are split off for validation. With 0 the training samples
            themselves are validated on: for a task whose whole world is its training set.
        ink: how pictures from elsewhere are brought to the form of the images; None for a task of numbers.
        recommended: settings that differ from the defaults of the MLP's, the Trainer's and the task's flags.
    """

    sample_shape: ClassVar[tuple[int, ...]]
    classes: ClassVar[tuple[str, ...] | None] = None
    outputs: ClassVar[int] = 1
    validation_samples: ClassVar[int] = 0
    ink: ClassVar[Ink | None] = None
    recommended: ClassVar[dict[str, Any]] = {}

    EVALUATION_BATCH = 1024

    def __init__(self, batch_size: int = 64, seed: int = 0, data_dir: str = "data") -> None:
        super().__init__()
        if batch_size < 1:
            raise UsageError(f"--batch_size {batch_size}: must be at least 1")
        if not 0 <= seed < 2**32:
            raise UsageError(f"--seed {seed}: must be from 0 to 2**32 - 1")
        self.batch_size = batch_size
        self.seed = seed
        self.data_dir = data_dir
        self.splits: dict[str, tuple[Tensor, Tensor]] = {}

    def load(self, train: bool) -> tuple[Tensor, Tensor]:
        """Load the training or the test set. The test set is asked for by the final test only.

        Returns:
            samples (n, *sample_shape), of any number type, and targets: (n,) class indices as int64, or
            (n, outputs) numbers as float32.

        Raises:
            Failure: if the data can't be had, with what to do about it.
        """
        raise NotImplementedError

    def describe(self, model: Callable[[Tensor], Tensor]) -> list[str]:
        """Lines to show behind the test results; ``model`` gives logits for raw samples. None by default."""
        return []

    @property
    def description(self) -> dict[str, Any]:
        """What the model has to know of the task: its arguments of the same names."""
        return {
            "sample_shape": list(self.sample_shape),
            "outputs": len(self.classes) if self.classes else self.outputs,
            "loss": "cross_entropy" if self.classes else "mse",
            "classes": list(self.classes) if self.classes else None,
        }

    def split(self, name: str) -> tuple[Tensor, Tensor]:
        """Samples and targets of ``train``, ``val`` or ``test``, loaded at first use and then kept."""
        if name not in self.splits:
            samples, targets = self.load(train=name != "test")
            if name == "test":
                self.splits["test"] = samples, targets
            else:
                self._split_off_validation(samples, targets)
        return self.splits[name]

    def _split_off_validation(self, samples: Tensor, targets: Tensor) -> None:
        if not self.validation_samples:
            self.splits["train"] = self.splits["val"] = samples, targets
            return
        order = torch.randperm(len(samples), generator=generator(self.seed, SPLIT))  # (n,)
        val, train = order[: self.validation_samples], order[self.validation_samples :]
        self.splits["train"] = samples[train], targets[train]
        self.splits["val"] = samples[val], targets[val]

    def mean_and_deviation(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation of the training split, for the model to standardise its input with."""
        return mean_and_deviation(self.split("train")[0])

    def train_dataloader(self) -> BatchLoader:
        """Every training sample once an epoch, in an order that the seed and the epoch decide."""
        return self._loader("train", self.batch_size, self.seed)

    def val_dataloader(self) -> BatchLoader:
        """Every validation sample, in the order they are stored in."""
        return self._loader("val", self.EVALUATION_BATCH)

    def test_dataloader(self) -> BatchLoader:
        """Every test sample, in the order they are stored in."""
        return self._loader("test", self.EVALUATION_BATCH)

    def _loader(self, name: str, batch_size: int, seed: int | None = None) -> BatchLoader:
        samples, targets = self.split(name)
        if self.trainer is None:
            return BatchLoader(samples, targets, batch_size, seed)
        rank, world_size = self.trainer.global_rank, self.trainer.world_size
        return BatchLoader(samples, targets, batch_size, seed, rank, world_size).to(self.trainer.strategy.root_device)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """The batch as it is: it was gathered on the device."""
        return batch
