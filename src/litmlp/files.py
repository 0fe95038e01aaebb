"""Files: replaced atomically, and read or refused in one line."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from litmlp.errors import Failure, UsageError

LARGEST_SETTINGS = 1_000_000  # bytes of a file of settings, a thousand times what one needs


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


def check_writable(folder: Path, advice: str) -> None:
    """Check that a folder, which may not exist yet, can be written to, without making it.

    Raises:
        Failure: if it can't, with what to do.
    """
    # Unlike Path.exists, this one says no where we have no rights to look.
    existing = next(place for place in (folder, *folder.absolute().parents) if os.path.exists(place))  # noqa: PTH110
    with writing(folder, advice):
        TemporaryFile(dir=existing).close()
        with suppress(FileNotFoundError):
            folder.lstat()  # no file system has a name that is too long


def regular_file(path: Path) -> Path:
    """The regular file that is written under a name that somebody has chosen: where a symlink leads, its target.

    Raises:
        UsageError: if something else is there, which a rename would remove: a folder, a device, a pipe.
    """
    target = Path(os.path.realpath(path))
    # Unlike Path's methods, those of os.path say no where there can't be such a name.
    if os.path.isdir(target):  # noqa: PTH112
        raise UsageError(f"{path} is a folder: name a file")
    if os.path.exists(target) and not os.path.isfile(target):  # noqa: PTH110, PTH113
        raise UsageError(f"{path} is a device or a pipe: name a file")
    return target


def read_regular(path: Path, limit: int) -> bytes:
    """The content of a regular file. A device may never end, and a pipe may never begin.

    Raises:
        OSError: if it can't be read, isn't a regular file, or is larger than ``limit`` bytes.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # opening a folder raises an error of its own
        raise OSError(errno.EINVAL, "a device or a pipe, no file")
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit // 1_000_000} MB")
    return content


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file's mapping of settings.

    Raises:
        Failure: if the file can't be read or isn't one.
    """
    from litmlp import plain_yaml  # noqa: PLC0415 (what answers a checkpoint's questions reads none)

    try:
        content = plain_yaml.load(read_regular(path, LARGEST_SETTINGS).decode("utf-8"))
    except OSError as error:
        raise Failure(f"can't read {path}: {error.strerror}") from None
    except plain_yaml.NestingError:
        raise Failure(f"{path} is nested too deeply") from None
    except (plain_yaml.YAMLError, UnicodeDecodeError) as error:
        raise Failure(f"{path} isn't YAML: {error}") from None
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise Failure(f"{path} is no mapping of settings, with a line 'flag: value' for each")
    return content


def output_fails() -> bool:
    """Whether what was printed can't be written, to a full disk, say."""
    try:
        print(flush=True)  # with PYTHONUNBUFFERED there is nothing left to flush of what has failed
    except OSError:
        return True
    return False
