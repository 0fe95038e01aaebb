"""Converts image files to samples, by the code that predict and serve have."""

import hashlib
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from litmlp.errors import Failure, UsageError
from litmlp.inference.images import open_image, read_image_file, to_photo, to_values, unpacked
from litmlp.model.spec import ImageForm
from litmlp.notes import is_first_process, note
from litmlp.tasks.image_files import ImageFile, Listing

Colour = Literal["auto", "grey", "rgb"]
FORM = ImageForm(white=255)  # scaled and cropped photos, as bytes
CHANNELS: dict[Colour, tuple[int, ...]] = {"auto": (3, 1), "grey": (1,), "rgb": (3,)}  # that are converted to
MODES = {1: "L", 3: "RGB"}
SILENT = 2.0  # seconds of converting before a terminal shows how far it is
MANY = 2_000  # files whose conversion is announced elsewhere
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


def check_memory(files: int, size: int, colour: Colour, available: int | None) -> None:
    """Check that all images fit into memory while they are converted.

    Args:
        files: how many there are.
        size: rows and columns of a sample.
        colour: the flag's value.
        available: bytes of memory; None where that isn't known.

    Raises:
        UsageError: if they don't.
    """
    needed = files * sum(CHANNELS[colour]) * size**2 * COPIES
    if available is not None and needed > available:
        raise UsageError(
            f"--image_size {size}: {files:,} images take {needed / 1e9:,.1f} GB while they are converted, and there are"
            f" {available / 1e9:,.1f} GB"
        )


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


def convert(listing: Listing, size: int, colour: Colour) -> Converted:
    """Convert all files in threads, as many as torch computes with.

    With ``auto`` the samples are in colour if any pixel of them has one, and otherwise in grey.
    """
    channels, files = CHANNELS[colour], listing.files
    read = partial(read_photo, root=listing.root, size=size, channels=channels)
    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        parts = (files[start : start + AT_ONCE] for start in range(0, len(files), AT_ONCE))
        results = list(with_progress((result for part in parts for result in threads.map(read, part)), len(files)))
    refused = {index: str(result) for index, result in enumerate(results) if isinstance(result, Failure)}
    photos = [result for result in results if isinstance(result, Photo)]
    none = torch.empty(0, sum(channels), size, size, dtype=torch.uint8)
    samples = torch.stack([photo.levels for photo in photos]) if photos else none  # (n, channels, size, size)
    if colour == "auto":
        samples = (samples[:, :3] if is_coloured(samples) else samples[:, 3:]).contiguous()
    numbers = {digest: number for number, digest in enumerate(dict.fromkeys(photo.digest for photo in photos))}
    return Converted(
        samples,
        torch.tensor([index for index in range(len(files)) if index not in refused]),
        torch.tensor([numbers[photo.digest] for photo in photos]),
        torch.tensor([(photo.width, photo.height) for photo in photos]),
        refused,
    )


def is_coloured(samples: Tensor) -> bool:
    """Whether any pixel of samples (n, 3 or more, height, width) isn't grey."""
    return any(
        bool((part[:, 0] != part[:, 1]).any() or (part[:, 1] != part[:, 2]).any()) for part in samples.split(4096)
    )


def with_progress(photos: Iterator[Photo | Failure], total: int) -> Iterator[Photo | Failure]:
    """The photos; a terminal shows how far they are once they take long, and another output gets one line."""
    on_terminal = sys.stderr.isatty() and is_first_process()
    if not on_terminal and total >= MANY:
        note(f"converting {total:,} files to samples: the next start finds them converted")
    first = due = time.monotonic() + SILENT
    for done, photo in enumerate(photos, 1):
        yield photo
        if on_terminal and time.monotonic() >= due:
            print(f"\rconverting images: {done:,} of {total:,}", end="", file=sys.stderr, flush=True)
            due = time.monotonic() + 0.2
    if due > first:
        print(file=sys.stderr)
