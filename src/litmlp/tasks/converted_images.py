"""A folder of images that is larger than memory, converted to files: found in the cache, or written there."""

import shutil
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

import torch
from torch import Tensor

from litmlp.cache import cache_folder, found_or_made, name_for
from litmlp.errors import Failure
from litmlp.tasks.dealing import Dealer
from litmlp.tasks.image_cache import fingerprint_of
from litmlp.tasks.image_conversion import Colour, convert
from litmlp.tasks.image_files import Listing
from litmlp.tasks.image_findings import check_images, description_of, notes_about
from litmlp.tasks.image_split import split_by_folders
from litmlp.tasks.stored import Field, StoredSplit, blocks_for, layout_of, plain_of, rows_in_a_share, splits_from

INDEX = Field((), "int64")
TOO_FEW = "a class needs at least 3 different images to be split; or make train, val and test folders"


class ConvertedImages(NamedTuple):
    """A folder of images in the cache.

    Attributes:
        splits: ``train``, ``val`` and ``test``.
        sample_shape: (channels, height, width).
        test_places: the index of each test sample in the list of files.
        lines: for people, about the images.
        notes: what is odd about them.
    """

    splits: dict[str, StoredSplit]
    sample_shape: tuple[int, ...]
    test_places: Tensor
    lines: list[str]
    notes: list[str]


def converted_images(
    listing: Listing, size: int, colour: Colour, seed: int, memory: int, data_dir: str
) -> ConvertedImages:
    """The images, converted now if they aren't in the cache.

    Args:
        listing: the files.
        size: rows and columns of a sample.
        colour: the flag's value.
        seed: of the split and the shuffle.
        memory: bytes that samples may take.
        data_dir: that the cache lies in.

    Raises:
        Failure: if there is nothing to learn from them, or the converted ones can't be written.
    """
    settings = {"images": fingerprint_of(listing, size, colour), "seed": seed, "memory": memory}
    folder = cache_folder(data_dir) / name_for([], settings)
    header = found_or_made(folder, lambda: made(listing, size, colour, seed, memory, folder))
    splits = splits_from(folder, header["splits"])
    stored = f"stored           larger than --memory: read from {folder} as they are needed"
    return ConvertedImages(
        {name: splits[name] for name in ("train", "val", "test")},
        tuple(header["sample_shape"]),
        splits["places"].tensors[0],
        [stored, *header["lines"]],
        header["notes"],
    )


def made(listing: Listing, size: int, colour: Colour, seed: int, memory: int, folder: Path) -> dict[str, Any]:
    """Fill the folder: what is to be known of it. The samples are collected in a file, and then dealt out."""
    collected = Path(mkdtemp(prefix="converting-", dir=folder))
    converted = convert(listing, size, colour, collected / "samples")
    check_images(listing, converted)
    files = [listing.files[place] for place in converted.places.tolist()]  # of the samples
    targets = torch.tensor([file.label for file in files])  # (n,)
    sides = split_by_folders([file.side for file in files], targets, converted.groups, seed)
    if not all(len(chosen) for chosen in sides.values()):
        raise Failure(f"{listing.sides['train']}: {TOO_FEW}")
    shape = tuple(converted.samples.shape[1:])
    fields = Field(shape, "uint8"), INDEX
    splits = {}
    for name, chosen in sides.items():
        blocks, places = blocks_for(len(chosen), fields, memory), (INDEX, INDEX)
        with ExitStack() as stack:
            dealer = stack.enter_context(Dealer(folder, name, blocks, fields, seed))
            index = stack.enter_context(Dealer(folder, "places", blocks, places, seed)) if name == "test" else None
            for part in chosen.split(rows_in_a_share(fields, memory)):
                dealer.add(converted.samples.index_select(0, part), targets[part])
                if index is not None:
                    index.add(converted.places[part], converted.places[part])
            layout = layout_of(dealer.chunks, blocks, fields, memory)
            splits[name] = plain_of(layout, dealer.checksums)
            if index is not None:
                splits["places"] = plain_of(replace(layout, fields=places), index.checksums)
    lines, notes = description_of(listing, converted), list(notes_about(listing, converted))
    del converted
    shutil.rmtree(collected)
    about = f"{listing.root}, {size}×{size} pixels"
    return {"about": about, "splits": splits, "sample_shape": shape, "lines": lines, "notes": notes}
