"""Files: replaced atomically, and read or refused in one line."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from litmlp.errors import Failure


def write_durably(path: Path, write: Callable[[Path], object], keep_as: Path | None = None) -> None:
    """Replace a file atomically: whoever looks, whenever the power fails, finds the old or the new file, whole.

    ``write`` fills a temporary file in the same folder (a rename across file systems would be a copy), which is
    forced to the disk and renamed, and then the folder is forced to the disk.

    Args:
        path: the file to replace.
        write: is called with the temporary file's path and writes it.
        keep_as: the name under which the old file, if there is one, is kept.

    Raises:
        OSError: if the disk is full, say; the old file is still there then, and no temporary one.
    """
    temporary = path.with_name(f".{path.name}.writing")
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        if keep_as is not None and path.exists():
            path.replace(keep_as)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Force a folder's entries to the disk. Windows opens no folders, and writes renames to its journal by itself."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def writing(path: Path, advice: str) -> Iterator[None]:
    """Turn an error of the operating system into a Failure that names the path, the reason and what to do."""
    try:
        yield
    except OSError as error:
        raise Failure(f"can't write {path} ({error.strerror or error}): {advice}") from error


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file's mapping of settings.

    Raises:
        Failure: if the file can't be read or isn't one.
    """
    import yaml  # noqa: PLC0415 (what answers a checkpoint's questions reads none)

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Failure(f"can't read {path}: {error.strerror}") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise Failure(f"{path} isn't YAML: {error}") from None
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise Failure(f"{path} is no mapping of settings, with a line 'flag: value' for each")
    return content
