"""Anybody's own images: a folder with a sub-folder for each class."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from litmlp.errors import Failure, UsageError, one_line
from litmlp.model.spec import ImageForm, Spec
from litmlp.notes import note
from litmlp.ranges import check_ranges
from litmlp.tasks.converted_images import TOO_FEW, converted_images
from litmlp.tasks.image_cache import Cache
from litmlp.tasks.image_conversion import CHANNELS, FORM, Colour, bytes_in_memory, convert
from litmlp.tasks.image_files import Listing, list_images
from litmlp.tasks.image_findings import check_images, description_of, notes_about
from litmlp.tasks.image_split import split_by_folders
from litmlp.tasks.sample_memory import default_memory, memory_for_samples, memory_if_exceeded
from litmlp.tasks.task import Task

MISSING = "--data is missing: name a folder with a sub-folder of images for each class, as --data photos"


class ImageFolder(Task):
    """A folder of images with a sub-folder for each class, or with such folders in train, val and test.

    What isn't split already is: 20 % of each class is for the test, 20 % of the rest for validation. Images are scaled
    and cropped around their centre. They are converted once, to a file in ``data_dir``.

    Args:
        data: the folder of images.
        image_size: rows and columns that images are brought to, from 1 to 512.
        colour: grey or rgb; with auto, grey if no image has a coloured pixel.
        memory: what the images may take, as 2GB; by default half of what the machine, or a container's limit, gives.
            More of them are converted once to files in ``data_dir``, and read from there while it trains. A run keeps
            the value that it was begun with, since the order of the images depends on it.
        batch_size: samples in a training step, on each process.
        seed: of everything random: the split, initial weights, order of the samples, dropout.
        data_dir: folder that the converted images are kept in.

    Raises:
        UsageError: if a value is out of its range, or ``data`` is missing.
    """

    kind = "image"
    image: ImageForm | None = FORM
    recommended: ClassVar[dict[str, Any]] = {
        "hidden": [512, 256],
        "dropout": 0.2,
        "lr": 5e-4,
        "schedule": "one_cycle",
        "batch_size": 64,
        "max_epochs": 20,
    }

    def __init__(
        self,
        data: str | None = None,
        image_size: int = 32,
        colour: Colour = "auto",
        memory: str | None = None,
        batch_size: int = 64,
        seed: int = 0,
        data_dir: str = "data",
    ) -> None:
        super().__init__(batch_size, seed, data_dir)
        check_ranges({"image_size": image_size})
        if colour not in CHANNELS:
            raise UsageError(f"--colour {colour}: must be one of {', '.join(CHANNELS)}")
        if not data:
            raise UsageError(MISSING)
        self.data = data
        self.image_size = image_size
        self.colour = colour
        self.memory = memory
        memory_for_samples(memory)
        self.lines: list[str] = []
        self.test_files: list[str] = []

    def prepare_data(self) -> None:
        """Find the classes, convert the images or read them converted, and split them.

        Raises:
            UsageError: if there is no such folder.
            Failure: if there is nothing to learn from it.
        """
        if self.splits:
            return
        listing = list_images(Path(self.data))
        needed = bytes_in_memory(len(listing.files), self.image_size, self.colour)
        if (memory := memory_if_exceeded(needed, self.memory)) is not None:
            self._keep_stored(listing, memory)
            return
        cache = Cache(listing, self.image_size, self.colour, Path(self.data_dir))
        kept = cache.read()
        converted = convert(listing, self.image_size, self.colour) if kept is None else kept
        check_images(listing, converted)
        files = [listing.files[place] for place in converted.places.tolist()]  # of the samples
        targets = torch.tensor([file.label for file in files])  # (n,)
        sides = split_by_folders([file.side for file in files], targets, converted.groups, self.seed)
        if not all(len(chosen) for chosen in sides.values()):
            raise Failure(f"{listing.sides['train']}: {TOO_FEW}")
        if kept is None:
            cache.write(converted)
        self.classes = listing.classes
        self.sample_shape = tuple(converted.samples.shape[1:])
        self.splits = {side: (converted.samples[chosen], targets[chosen]) for side, chosen in sides.items()}
        self.validation_samples = len(sides["val"])
        self.test_files = [files[index].name for index in sides["test"].tolist()]
        self.lines = description_of(listing, converted)
        for line in notes_about(listing, converted):
            note(line)

    def _keep_stored(self, listing: Listing, memory: int) -> None:
        """Find the images converted in files, or convert them."""
        found = converted_images(listing, self.image_size, self.colour, self.seed, memory, self.data_dir)
        self.classes, self.sample_shape = listing.classes, found.sample_shape
        self.stored = found.splits
        self.splits = {name: split.tensors for name, split in self.stored.items()}
        self.validation_samples = len(self.splits["val"][0])
        self.test_files = [listing.files[place].name for place in found.test_places.tolist()]
        self.lines = found.lines
        for line in found.notes:
            note(line)

    def split(self, name: str) -> tuple[Tensor, Tensor]:
        """Samples (n, channels, height, width) as bytes and classes (n,) of ``train``, ``val`` or ``test``."""
        self.prepare_data()
        return self.splits[name]

    @classmethod
    def recommended_for(cls, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The recommended settings, and the memory."""
        return {**cls.recommended, "memory": default_memory()}

    def description(self) -> list[str]:
        """What was found in the folder."""
        return self.lines

    def name_of(self, index: int) -> str:
        """The file of a test sample, below the folder of images."""
        return one_line(self.test_files[index])

    @classmethod
    def settings_from(cls, spec: Spec) -> dict[str, Any]:
        """The form of the images."""
        return {"image_size": spec.sample_shape[-1], "colour": "rgb" if spec.sample_shape[0] == 3 else "grey"}
