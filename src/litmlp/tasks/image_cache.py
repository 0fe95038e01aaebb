"""Keeps converted images in one file below ``--data_dir``, and uses them again as long as the originals are the same.

The file begins with the SHA-256 of all that follows. Then comes a line of JSON with everything but the samples, among
it a fingerprint of what they were made of, and then the samples' bytes.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy
import PIL
import torch

from litmlp.files import write_durably
from litmlp.notes import note
from litmlp.tasks.image_conversion import Colour, Converted
from litmlp.tasks.image_files import Listing

FORMAT = 1  # raised with every change of what is in the file, or of how images are converted
DIGEST = 64  # characters of a SHA-256


class Cache:
    """The file for a folder's images in one form. There is one for each form, whatever becomes of the images.

    Args:
        listing: the folder's files.
        size: rows and columns of a sample.
        colour: the flag's value.
        data_dir: the folder that it lies below.
    """

    def __init__(self, listing: Listing, size: int, colour: Colour, data_dir: Path) -> None:
        form = hashlib.sha256(os.fsencode(f"{listing.root.resolve()}\0{size}\0{colour}"))
        self.path = data_dir / "image_folder" / f"{form.hexdigest()[:16]}.images"
        self.fingerprint = fingerprint_of(listing, size, colour)

    def read(self) -> Converted | None:
        """The images; None if they aren't there, are damaged, or were made of other files."""
        try:
            with self.path.open("rb") as file:
                digest = file.read(DIGEST)
                if hashlib.file_digest(file, "sha256").hexdigest().encode() != digest:
                    return None
                file.seek(DIGEST)
                header: dict[str, Any] = json.loads(file.readline())
                if header["fingerprint"] != self.fingerprint:
                    return None
                samples = numpy.fromfile(file, numpy.uint8).reshape(header["shape"])
        except OSError:
            return None
        places, groups, pixels = (torch.tensor(header[name]) for name in ("places", "groups", "pixels"))
        return Converted(torch.from_numpy(samples), places, groups, pixels, dict(header["refused"]))

    def write(self, converted: Converted) -> None:
        """Keep the images; where that can't be done, say so."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_durably(self.path, lambda temporary: write_images(temporary, self.fingerprint, converted))
        except OSError as error:
            place, reason = self.path.parent, error.strerror or error
            note(f"can't keep the converted images in {place} ({reason}): each start converts them again")


def fingerprint_of(listing: Listing, size: int, colour: Colour) -> str:
    """What is another as soon as a file was changed, added or removed, or is converted in another way."""
    digest = hashlib.sha256(f"{FORMAT} {PIL.__version__} {size} {colour}".encode())
    for file in listing.files:
        digest.update(os.fsencode(f"\0{file.name}\0{file.size} {file.modified}"))
    return digest.hexdigest()


def write_images(path: Path, fingerprint: str, converted: Converted) -> None:
    """Write the file."""
    header = {
        "fingerprint": fingerprint,
        "shape": list(converted.samples.shape),
        "places": converted.places.tolist(),
        "groups": converted.groups.tolist(),
        "pixels": converted.pixels.tolist(),
        "refused": list(converted.refused.items()),
    }
    line, samples = json.dumps(header).encode() + b"\n", converted.samples.numpy().data
    digest = hashlib.sha256(line)
    digest.update(samples)
    with path.open("wb") as file:
        file.write(digest.hexdigest().encode() + line)
        file.write(samples)
