"""What is said about a folder of images: what was found, what is odd about it, and what nothing can be learned from."""

from collections import Counter
from collections.abc import Iterator

import torch
from torch import Tensor

from litmlp.errors import Failure
from litmlp.tasks.image_conversion import Converted
from litmlp.tasks.image_files import Listing, named

MOST_LISTED = 10  # classes that are listed with their counts


def check_images(listing: Listing, converted: Converted) -> None:
    """Check that each class has images to train on, and each folder of a split has some.

    Raises:
        Failure: if not.
    """
    if listing.files and not len(converted.samples):
        refused = in_words(listing, converted.refused)
        raise Failure(f"{listing.root}: none of {len(listing.files):,} files is an image that can be read: {refused}")
    read = [listing.files[place] for place in converted.places.tolist()]
    trained = {file.label for file in read if file.side == "train"}
    empty = [name for label, name in enumerate(listing.classes) if label not in trained]
    if empty:
        folder = listing.sides["train"]
        raise Failure(f"{folder}: there are no images of {named(empty)}: add some, or remove the empty folders")
    for side, folder in listing.sides.items():
        if all(file.side != side for file in read):
            raise Failure(f"{folder}: there are no images: add some, or remove the folder, to have images split off")


def description_of(listing: Listing, converted: Converted) -> list[str]:
    """Lines about the classes and the images."""
    labels = [listing.files[place].label for place in converted.places.tolist()]
    counts = [(count, listing.classes[label]) for label, count in sorted(Counter(labels).items())]
    if len(counts) <= MOST_LISTED:
        classes = ", ".join(f"{name} {count:,}" for count, name in counts)
    else:
        (fewest, rarest), (most, commonest) = min(counts), max(counts)
        classes = f"{len(counts)}, from {fewest:,} ({rarest}) to {most:,} ({commonest}) images"
    channels, height, width = converted.samples.shape[1:]
    order = converted.pixels.prod(1).argsort(stable=True)  # (n,)
    (smallest, largest) = (f"{w}×{h}" for w, h in converted.pixels[order[[0, -1]]].tolist())
    sizes = f"of {smallest} pixels" if smallest == largest else f"from {smallest} to {largest} pixels"
    files = f" of {len(listing.files):,} files" if converted.refused else ""
    colour = "colour" if channels == 3 else "grey"
    return [
        f"classes          {classes}",
        f"images           {len(labels):,}{files}, {sizes}, brought to {width}×{height} in {colour}",
    ]


def notes_about(listing: Listing, converted: Converted) -> Iterator[str]:
    """What is odd about the folder, a line each."""
    if converted.refused:
        refused = in_words(listing, converted.refused)
        yield f"skipped {len(converted.refused):,} of {len(listing.files):,} files: {refused}"
    if listing.unused:
        yield f"not used: {named(listing.unused)} in {listing.root}, neither train, val nor test with classes in it"
    files = [listing.files[place] for place in converted.places.tolist()]  # (n,)
    trained = torch.tensor([file.side == "train" for file in files])  # (n,)
    leaked = torch.isin(converted.groups, converted.groups[trained]) & ~trained  # (n,)
    if leaked.any():
        count, first = int(leaked.sum()), files[int(leaked.nonzero()[0])].name
        yield f"copies of training images among those to validate or test on: {count:,}, such as {first}"
    unclear = with_several_labels(converted.groups, torch.tensor([file.label for file in files]))
    if len(unclear):
        names = " and ".join(files[place].name for place in unclear[:2].tolist())
        yield f"copies in several classes: {len(unclear):,}, such as {names}"


def with_several_labels(groups: Tensor, labels: Tensor) -> Tensor:
    """The indices of samples whose group has several labels, group by group, from two tensors (n,)."""
    pairs = torch.stack([groups, labels], 1).unique(dim=0)  # (different pairs, 2)
    numbers, counts = pairs[:, 0].unique(return_counts=True)
    unclear = torch.isin(groups, numbers[counts > 1]).nonzero().squeeze(1)
    return unclear[groups[unclear].argsort(stable=True)]


def in_words(listing: Listing, refused: dict[int, str]) -> str:
    """The first files that can't be read, each with the reason, and how many more there are."""
    return named([f"{listing.files[index].name} ({reason})" for index, reason in refused.items()])
