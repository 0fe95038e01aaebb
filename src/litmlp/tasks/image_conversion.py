"""Converts image files to samples, by the code that predict and serve have."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from litmlp.errors import Failure
from litmlp.inference.images import open_image, read_image_file, to_photo, to_values, unpacked
from litmlp.model.spec import ImageForm
from litmlp.tasks.image_files import ImageFile, Listing
from litmlp.tasks.progress import Progress
from litmlp.tasks.stored import mapped

Colour = Literal["auto", "grey", "rgb"]
FORM = ImageForm(white=255)  # scaled and cropped photos, as bytes
CHANNELS: dict[Colour, tuple[int, ...]] = {"auto": (3, 1), "grey": (1,), "rgb": (3,)}  # that are converted to
MODES = {1: "L", 3: "RGB"}
COPIES = 2  # of all samples that are in memory together while they are converted and split
AT_ONCE = 256  # files that are given to the threads together


class Photo(NamedTuple):
    """One converted image.

    Attributes:
        levels: (channels, size, size) bytes; with ``--colour auto`` those in colour and then those in grey.
        width: of the image in its file, in pixels.
        height: likewise.
        digest: the same for files of the same bytes.
    """

    levels: Tensor
    width: int
    height: int
    digest: str


class Converted(NamedTuple):
    """The images of a folder.

    Attributes:
        samples: (n, channels, size, size) bytes.
        places: (n,) the index of each in the list of files.
        groups: (n,) numbers; files of the same bytes have the same.
        pixels: (n, 2) width and height of each in its file.
        refused: why a file is skipped, by its index in the list of files.
    """

    samples: Tensor
    places: Tensor
    groups: Tensor
    pixels: Tensor
    refused: dict[int, str]


def bytes_in_memory(files: int, size: int, colour: Colour) -> int:
    """The memory that all images take while they are converted.

    Args:
        files: how many there are.
        size: rows and columns of a sample.
        colour: the flag's value.
    """
    return files * sum(CHANNELS[colour]) * size**2 * COPIES


def read_photo(file: ImageFile, root: Path, size: int, channels: tuple[int, ...]) -> Photo | Failure:
    """Convert one file, or say why it can't be."""
    try:
        content = read_image_file(root / file.name)
        image = open_image(content)
        width, height = image.size
        images = unpacked(image, [MODES[number] for number in channels])
    except Failure as failure:
        return failure
    samples = [
        to_values(to_photo(in_mode, (number, size, size)), FORM)
        for number, in_mode in zip(channels, images, strict=True)
    ]
    return Photo(torch.cat(samples), width, height, hashlib.sha256(content).hexdigest())


class Levels:
    """Collects the samples of photos: in memory, or in a file that is mapped then.

    Args:
        shape: of a photo's levels, (channels, size, size).
        file: to write to; None for memory.
    """

    def __init__(self, shape: tuple[int, int, int], file: Path | None) -> None:
        self.shape = shape
        self.path = file
        self.file = None if file is None else file.open("xb")
        self.levels: list[Tensor] = []
        self.count = 0

    def add(self, levels: Tensor) -> None:
        """Take one photo's levels.

        Raises:
            OSError: if the disk is full, say.
        """
        self.count += 1
        if self.file is None:
            self.levels.append(levels)
        else:
            self.file.write(levels.numpy().tobytes())

    def close(self) -> Tensor:
        """All samples (n, channels, size, size)."""
        if self.file is not None and self.path is not None:
            self.file.close()
            if self.count:
                return mapped(self.path, (self.count, *self.shape), "uint8")
        return torch.stack(self.levels) if self.levels else torch.empty(0, *self.shape, dtype=torch.uint8)


def convert(listing: Listing, size: int, colour: Colour, file: Path | None = None) -> Converted:
    """Convert all files in threads, as many as torch computes with.

    With ``auto`` the samples are in colour if any pixel of them has one, and otherwise in grey.

    Args:
        listing: the files.
        size: rows and columns of a sample.
        colour: the flag's value.
        file: for samples that don't fit into memory, which are mapped from there.
    """
    channels, files = CHANNELS[colour], listing.files
    read = partial(read_photo, root=listing.root, size=size, channels=channels)
    levels = Levels((sum(channels), size, size), file)
    numbers: dict[str, int] = {}
    refused, places, groups, pixels = {}, [], [], []
    with ThreadPoolExecutor(torch.get_num_threads()) as threads, Progress("images", len(files)) as progress:
        parts = (files[start : start + AT_ONCE] for start in range(0, len(files), AT_ONCE))
        results = (result for part in parts for result in threads.map(read, part))
        for index, result in enumerate(results):
            progress.add()
            if isinstance(result, Failure):
                refused[index] = str(result)
                continue
            levels.add(result.levels)
            places.append(index)
            groups.append(numbers.setdefault(result.digest, len(numbers)))
            pixels.append((result.width, result.height))
    samples = levels.close()  # (n, channels, size, size)
    if colour == "auto":
        samples = samples[:, :3] if is_coloured(samples) else samples[:, 3:]
        samples = samples.contiguous() if file is None else samples
    return Converted(samples, torch.tensor(places), torch.tensor(groups), torch.tensor(pixels), refused)


def is_coloured(samples: Tensor) -> bool:
    """Whether any pixel of samples (n, 3 or more, height, width) isn't grey."""
    return any(
        bool((part[:, 0] != part[:, 1]).any() or (part[:, 1] != part[:, 2]).any()) for part in samples.split(4096)
    )
