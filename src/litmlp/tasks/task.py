"""The contract between a task and everything else."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from litmlp.errors import Failure, UsageError
from litmlp.model.columns import TableForm
from litmlp.model.spec import ImageForm, Kind, Settings, Spec
from litmlp.model.statistics import Statistics, statistics_of
from litmlp.randomness import SPLIT, generator
from litmlp.ranges import check_ranges
from litmlp.tasks.contract import check_loaded
from litmlp.tasks.loader import Batch, BatchLoader
from litmlp.tasks.stored import StoredSplit
from litmlp.tasks.stored_loader import StoredLoader


class Task(LightningDataModule):
    """A data set, what is to be learned from it, and the settings that we recommend for it.

    A subclass sets the class attributes and defines :meth:`load`; that is all. A task that knows its shape or classes
    only from its data sets them in :meth:`prepare_data` instead. The samples stay in memory as they are loaded
    (images as bytes), on the device that the Trainer chose.

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
        kind: what a sample is, for whoever asks people for one; by default images or numbers, as the shape says.
        image: how images from elsewhere are brought to the form of the data's. By default they are scaled and cropped,
            and white is 255 for bytes, 1 for numbers from 0 to 1.
        table: the columns, where the samples are rows of a table.
        recommended: settings that differ from the defaults of the MLP's, the Trainer's and the task's flags.
        search_space: what ``search.py`` tries by default, as its ``--space`` says it: the settings that matter most,
            each around what the recommended settings of the tasks have.
    """

    sample_shape: tuple[int, ...]
    classes: tuple[str, ...] | None = None
    outputs: int = 1
    validation_samples: int = 0
    kind: Kind | None = None
    image: ImageForm | None = None
    table: TableForm | None = None
    recommended: ClassVar[dict[str, Any]] = {}
    search_space: ClassVar[dict[str, Any]] = {
        "lr": [1e-4, 1e-1, "log"],
        "hidden": [[64], [256], [1024], [256, 256], [512, 256], [1024, 1024]],
        "dropout": [0, 0.5],
        "batch_size": {32: 32, 64: 64, 128: 128, 256: 256},
        "batch_norm": [False, True],
        "schedule": ["constant", "cosine", "one_cycle"],
    }

    EVALUATION_BATCH = 1024

    def __init__(self, batch_size: int = 64, seed: int = 0, data_dir: str = "data") -> None:
        super().__init__()
        check_ranges({"batch_size": batch_size, "seed": seed})
        self.batch_size = batch_size
        self.seed = seed
        self.data_dir = data_dir
        self.splits: dict[str, tuple[Tensor, Tensor]] = {}
        self.stored: dict[str, StoredSplit] = {}  # those of the splits that are read from files
        self.known: tuple[Settings, Statistics] | None = None  # the newest statistics

    def load(self, train: bool) -> tuple[Tensor, Tensor]:
        """Load the training or the test set. The test set is asked for by the final test only.

        What was learned from the training samples, such as what to fill gaps with, is at hand for the test set, too:
        ``self.split("train")`` gives the training samples and targets.

        Returns:
            samples (n, *sample_shape), of any number type and finite, and targets: (n,) class indices as int64, or
            (n, outputs) numbers as float32, in any units: the network standardises them. Anything else is refused
            before the first epoch.

        Raises:
            Failure: if the data can't be had, with what to do about it.
        """
        raise NotImplementedError

    def description(self) -> list[str]:
        """Lines to show before the training, about the data, once :meth:`prepare_data` was called. None by default."""
        return []

    def statistics(self, settings: Settings) -> Statistics:
        """What a network of these settings standardises and encodes by: statistics of the training samples.

        Of samples in files they are those of a window of them, at random.
        """
        split = self.split("train")
        return statistics_of(settings, *(self.stored["train"].head() if self.stored else split))

    def statistics_for(self, settings: Settings) -> Statistics:
        """The :meth:`statistics`, computed at first use and then kept, until others are asked for."""
        if self.known is None or self.known[0] != settings:
            self.known = settings, self.statistics(settings)
        return self.known[1]

    def summary(self, model: Callable[[Tensor], Tensor]) -> list[str]:
        """Lines to show after the test results; ``model`` gives logits for raw samples. None by default."""
        return []

    @classmethod
    def recommended_for(cls, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The recommended settings for the data that the constructor's arguments name: ``recommended`` by default."""
        return cls.recommended

    def name_of(self, index: int) -> str:
        """What a sample of the test set is called in lists of errors: by default its number."""
        return f"sample {index}"

    @classmethod
    def settings_from(cls, spec: Spec) -> dict[str, Any]:
        """Settings that make a task of this spec, for a checkpoint whose run isn't at hand. None by default."""
        return {}

    @classmethod
    def task_name(cls) -> str:
        """The name of the task, in its checkpoints and of the folder of its runs: ``LogValue`` is ``log_value``."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()

    @property
    def spec(self) -> Spec:
        """What the task asks of a network: known once :meth:`prepare_data` was called.

        Raises:
            UsageError: if the task's attributes don't go together.
        """
        spec = self._spec_without_data()
        if len(spec.sample_shape) != 3 or spec.image is not None:
            return spec
        return replace(spec, image=self._form_of_photos())

    def _spec_without_data(self) -> Spec:
        if getattr(self, "sample_shape", None) is None:
            raise UsageError(f"the task {self.task_name()} doesn't say its sample_shape")
        return Spec(
            task=self.task_name(),
            sample_shape=self.sample_shape,
            outputs=len(self.classes) if self.classes else self.outputs,
            classes=self.classes,
            kind=self.kind or ("image" if len(self.sample_shape) == 3 else "numbers"),
            image=self.image,
            table=self.table,
        )

    def _form_of_photos(self) -> ImageForm | None:
        samples = self.split("train")[0]
        if samples.dtype == torch.uint8:
            return ImageForm(white=255)
        return ImageForm(white=1.0) if 0 <= float(samples.min()) < float(samples.max()) <= 1 else None

    def split(self, name: str) -> tuple[Tensor, Tensor]:
        """Samples and targets of ``train``, ``val`` or ``test``, loaded at first use and then kept."""
        if name not in self.splits:
            source = f"the {'test' if name == 'test' else 'training'} set of {self.task_name()}"
            samples, targets = check_loaded(self.load(train=name != "test"), self._spec_without_data(), source)
            if name == "test":
                self.splits["test"] = samples, targets
            else:
                self._split_off_validation(samples, targets)
        return self.splits[name]

    def _split_off_validation(self, samples: Tensor, targets: Tensor) -> None:
        if not self.validation_samples:
            self.splits["train"] = self.splits["val"] = samples, targets
            return
        if self.validation_samples >= len(samples):
            raise Failure(
                f"the training set of {self.task_name()}: its {len(samples)} samples leave none to train on beside"
                f" {self.validation_samples} for validation"
            )
        order = torch.randperm(len(samples), generator=generator(self.seed, SPLIT))  # (n,)
        val, train = order[: self.validation_samples], order[self.validation_samples :]
        self.splits["train"] = samples[train], targets[train]
        self.splits["val"] = samples[val], targets[val]

    def train_dataloader(self) -> BatchLoader:
        """Every training sample once an epoch, in an order that the seed and the epoch decide."""
        return self._loader("train", self.batch_size, self.seed)

    def val_dataloader(self) -> BatchLoader:
        """Every validation sample, in the order they are stored in."""
        return self._loader("val", self.EVALUATION_BATCH)

    def test_dataloader(self) -> BatchLoader:
        """Every test sample, in the order they are stored in."""
        return self._loader("test", self.EVALUATION_BATCH)

    def predict_dataloader(self) -> BatchLoader:
        """The test samples, for ``Trainer.predict``."""
        return self.test_dataloader()

    def _loader(self, name: str, batch_size: int, seed: int | None = None) -> BatchLoader:
        split, trainer = self.split(name), self.trainer
        process = (0, 1) if trainer is None else (trainer.global_rank, trainer.world_size)
        if name in self.stored:
            loader: BatchLoader = StoredLoader(self.stored[name], batch_size, seed, *process)
        else:
            loader = BatchLoader(*split, batch_size, seed, *process)
        return loader if trainer is None else loader.to(trainer.strategy.root_device)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """The batch as it is: it was gathered on the device."""
        return batch
