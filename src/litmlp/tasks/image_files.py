"""What lies in a folder of images: the classes, the files of each, and whether it is split already."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from litmlp.errors import Failure, UsageError
from litmlp.model.spec import is_text

Side = Literal["train", "val", "test"]
NAMES: dict[Side, tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}


class ImageFile(NamedTuple):
    """A file of a class's folder, which may be no image.

    Attributes:
        name: its path below the folder of images.
        side: whose folder it lies in; ``train`` where there is only one.
        label: index of its class.
        size: in bytes.
        modified: time of its last change, in nanoseconds.
    """

    name: str
    side: Side
    label: int
    size: int
    modified: int


class Listing(NamedTuple):
    """What was found in a folder of images.

    Attributes:
        root: the folder.
        classes: the names of the training folder's sub-folders, sorted.
        sides: the folder of each side of the split; ``train`` alone where it is still to be split.
        files: of all classes and sides, in order.
        unused: names of folders that are neither a class nor a side of the split.
    """

    root: Path
    classes: tuple[str, ...]
    sides: dict[Side, Path]
    files: list[ImageFile]
    unused: list[str]


def list_images(root: Path) -> Listing:
    """Find the classes and their files. Whether these are images isn't looked at.

    Hidden files and folders don't count, nor does ``__MACOSX``, which archives made on a Mac have.

    Raises:
        UsageError: if there is no such folder.
        Failure: if it can't be read, or doesn't hold at least two classes.
    """
    if not os.path.isdir(root):  # noqa: PTH112 (unlike Path.is_dir, it says no where there can't be such a folder)
        what = "is a file, not a folder" if os.path.exists(root) else "there is no such folder"  # noqa: PTH110
        raise UsageError(f"--data {root}: {what}: name one with a sub-folder of images for each class")
    sides = sides_in(root)
    classes = tuple(folders_in(sides["train"]))
    check_classes(sides["train"], classes)
    files = []
    for side, folder in sides.items():
        unknown = [name for name in folders_in(folder) if name not in classes]
        if unknown:
            lacking = f"{folder} has classes that {sides['train']} lacks"
            raise Failure(f"{lacking}: {named(unknown)}; add them there, or remove them here")
        for label, name in enumerate(classes):
            files += [file_at(path, root, side, label) for path in files_in(folder / name)]
    is_split = sides["train"] != root
    unused = [name for name in folders_in(root) if is_split and root / name not in sides.values()]
    return Listing(root, classes, sides, files, unused)


def sides_in(root: Path) -> dict[Side, Path]:
    """The folder of each side of the split, where ``train`` has classes in it; otherwise the whole is to be split.

    Raises:
        Failure: if a side has two folders.
    """
    sides: dict[Side, Path] = {}
    names = folders_in(root)
    for side, known in NAMES.items():
        found = [root / name for name in names if name.lower() in known and folders_in(root / name)]
        if len(found) > 1 and (side == "train" or sides):
            raise Failure(f"{root}: {' and '.join(path.name for path in found)} mean the same: rename one of them")
        if found and (side == "train" or sides):
            sides[side] = found[0]
    return sides or {"train": root}


def check_classes(folder: Path, classes: tuple[str, ...]) -> None:
    """Check that there are at least two classes, whose names can be shown.

    Raises:
        Failure: if there aren't.
    """
    if not classes:
        raise Failure(f"{folder} has no sub-folders: each class needs one, with its images")
    for name in classes:
        if not is_text(name):
            raise Failure(f"{folder}: the folder {name!a} can't be a class's name: rename it in plain text")
    if len(classes) == 1:
        inner = folder / classes[0]
        hint = f"did you mean --data {inner}?" if folders_in(inner) else "it takes at least two sub-folders"
        raise Failure(f"{folder} has one class only, {classes[0]}: {hint}")


def folders_in(folder: Path) -> list[str]:
    """The names of the folders in a folder, sorted.

    Raises:
        Failure: if it can't be read.
    """
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if not is_hidden(entry.name) and entry.is_dir())
    except OSError as error:
        raise unreadable(error) from None


def files_in(folder: Path) -> Iterator[Path]:
    """The files in a folder and in those below, sorted; none if there is no such folder.

    Raises:
        Failure: if one can't be read.
    """

    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise unreadable(error) from None

    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        yield from (Path(parent, name) for name in sorted(names) if not is_hidden(name))


def file_at(path: Path, root: Path, side: Side, label: int) -> ImageFile:
    """A file, with what shows later whether it was changed; a broken link has neither size nor time."""
    try:
        status = path.stat()
    except OSError:
        return ImageFile(str(path.relative_to(root)), side, label, -1, -1)
    return ImageFile(str(path.relative_to(root)), side, label, status.st_size, status.st_mtime_ns)


def is_hidden(name: str) -> bool:
    """Whether a file or folder isn't meant to be seen."""
    return name.startswith(".") or name == "__MACOSX"


def unreadable(error: OSError) -> Failure:
    """What to say about a folder that can't be read."""
    return Failure(f"can't read {error.filename} ({error.strerror}): mend its rights, or name another --data")


def named(names: list[str], most: int = 3) -> str:
    """The first names of a list, and how many more there are."""
    more = [f"{len(names) - most:,} more"] if len(names) > most else []
    *first, last = [*names[:most], *more]
    return f"{', '.join(first)} and {last}" if first else last
