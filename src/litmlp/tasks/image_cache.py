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
from litmlp.tasks.image_conversion import Colour, Converted, convert
from litmlp.tasks.image_files import Listing
from litmlp.tasks.notes import note

FORMAT = 1  # raised with every change of what is in the file, or of how images are converted
DIGEST = 64  # characters of a SHA-256


def converted_images(listing: Listing, size: int, colour: Colour, data_dir: Path) -> Converted:
    """The images, from the file if it is up to date; otherwise converted and, if that is possible, kept in it."""
    path = cache_path(listing.root, size, colour, data_dir)
    fingerprint = fingerprint_of(listing, size, colour)
    found = read_cache(path, fingerprint)
    if found is not None:
        return found
    converted = convert(listing, size, colour)
    if len(converted.samples):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_durably(path, lambda temporary: write_cache(temporary, fingerprint, converted))
        except OSError as error:
            reason = error.strerror or error
            note(f"can't keep the converted images in {path.parent} ({reason}): each start converts them again")
    return converted


def cache_path(root: Path, size: int, colour: Colour, data_dir: Path) -> Path:
    """The file for a folder's images in one form: there is one for each, whatever becomes of the images."""
    form = os.fsencode(f"{root.resolve()}\0{size}\0{colour}")
    return data_dir / "image_folder" / f"{hashlib.sha256(form).hexdigest()[:16]}.images"


def fingerprint_of(listing: Listing, size: int, colour: Colour) -> str:
    """What is another as soon as a file was changed, added or removed, or is converted in another way."""
    digest = hashlib.sha256(f"{FORMAT} {PIL.__version__} {size} {colour}".encode())
    for file in listing.files:
        digest.update(os.fsencode(f"\0{file.name}\0{file.size} {file.modified}"))
    return digest.hexdigest()


def write_cache(path: Path, fingerprint: str, converted: Converted) -> None:
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


def read_cache(path: Path, fingerprint: str) -> Converted | None:
    """The images of a file; None if there is none, or it is damaged or of another fingerprint."""
    try:
        with path.open("rb") as file:
            digest = file.read(DIGEST)
            if hashlib.file_digest(file, "sha256").hexdigest().encode() != digest:
                return None
            file.seek(DIGEST)
            header: dict[str, Any] = json.loads(file.readline())
            if header["fingerprint"] != fingerprint:
                return None
            samples = numpy.fromfile(file, numpy.uint8).reshape(header["shape"])
    except OSError:
        return None
    places, groups, pixels = (torch.tensor(header[name]) for name in ("places", "groups", "pixels"))
    return Converted(torch.from_numpy(samples), places, groups, pixels, dict(header["refused"]))
