"""Where converted data are kept: a folder each below ``data_dir``/cache, found by what they were made of, and how.

A folder holds the files of :mod:`litmlp.tasks.stored` and, written last, a header. As long as that isn't there, whoever
finds the folder and gets its lock begins from nothing; while another process holds it, the others wait for it.
"""

import hashlib
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from litmlp.errors import Failure
from litmlp.files import write_durably
from litmlp.lock import BEAT_EVERY, InUseError, RunLock
from litmlp.notes import note
from litmlp.signals import INTERRUPTION

FORMAT = 3  # raised with every change of what is in the files, or of how they are made
HEADER = "header.json"
ADVICE = "make room, or choose another --data_dir"
PIECES, PIECE = 16, 2**16  # of a file that its fingerprint looks at, and the bytes of each
WAIT = 1.0  # seconds between two looks at what another process converts


class Entry(NamedTuple):
    """What the cache has.

    Attributes:
        name: of its folder.
        size: bytes on the disk.
        used: when it was last used, in seconds since 1970.
        about: what it was made of; None while it is being made, or if that was interrupted.
    """

    name: str
    size: int
    used: float
    about: str | None


def cache_folder(data_dir: str | Path) -> Path:
    """The folder of all converted data."""
    return Path(data_dir) / "cache"


def name_for(files: Sequence[Path], settings: dict[str, Any]) -> str:
    """The name of the folder for what files become with some settings, whatever the files are called.

    Raises:
        Failure: if a file can't be read.
    """
    digest = hashlib.sha256(json.dumps([FORMAT, settings], sort_keys=True).encode())
    for file in files:
        digest.update(fingerprint_of(file))
    return digest.hexdigest()[:16]


def fingerprint_of(path: Path) -> bytes:
    """What differs as soon as a file was changed: its size, the time of its last change, and pieces of its content.

    Raises:
        Failure: if it can't be read.
    """
    try:
        state = path.stat()
        digest = hashlib.sha256(f"{state.st_size} {state.st_mtime_ns}".encode())
        with path.open("rb") as file:
            for piece in range(PIECES):
                file.seek(piece * max(0, state.st_size - PIECE) // (PIECES - 1))
                digest.update(file.read(PIECE))
    except OSError as error:
        raise Failure(f"can't read {path}: {error.strerror}") from None
    return digest.digest()


def found_or_made(folder: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The header of converted data, which are made if they aren't there, or waited for while another process does.

    Args:
        folder: of the cache, for these data.
        make: fills the folder and returns the header.

    Raises:
        Failure: if the folder can't be written to or was taken over, or what ``make`` raises.
    """
    waited = False
    while (header := read_header(folder)) is None:
        lock = RunLock(folder)
        try:
            lock.acquire()
        except InUseError as error:
            if not waited:
                note(f"{error}, and converts the same data: waiting for it")
            waited = True
            time.sleep(WAIT)
            continue
        INTERRUPTION.cleanup = lambda held=lock: discard(folder, held)
        try:
            if read_header(folder) is None:
                clear(folder)
                with beating(lock):
                    content = packed(make())
                write_durably(folder / HEADER, partial(write_to, content=content))
        except OSError as error:
            discard(folder, lock)
            raise Failure(f"can't write {folder} ({error.strerror or error}): {ADVICE}") from None
        except BaseException:
            discard(folder, lock)
            raise
        finally:
            INTERRUPTION.cleanup = None
            lock.release()
    with suppress(OSError):
        (folder / HEADER).touch()
    return header


@contextmanager
def beating(lock: RunLock) -> Iterator[None]:
    """Show in a thread that this process is alive, also while a single query takes minutes.

    Raises:
        Failure: at the end, if the lock was lost; it isn't held any more then.
    """
    done = threading.Event()
    lost: list[Failure] = []

    def beat() -> None:
        try:
            while not done.wait(BEAT_EVERY):
                lock.beat()
        except Failure as failure:
            lost.append(failure)
            lock.release()

    thread = threading.Thread(target=beat, name="beat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    if lost:
        raise lost[0]


def read_header(folder: Path) -> dict[str, Any] | None:
    """The header of converted data; None if there is none, or it is damaged."""
    try:
        digest, _, content = (folder / HEADER).read_bytes().partition(b"\n")
    except OSError:
        return None
    if hashlib.sha256(content).hexdigest().encode() != digest:
        return None
    header: dict[str, Any] = json.loads(content)
    return header


def write_to(path: Path, content: bytes) -> None:
    """Write a file."""
    path.write_bytes(content)


def packed(header: dict[str, Any]) -> bytes:
    """A header as the bytes of its file."""
    content = json.dumps(header).encode()
    return hashlib.sha256(content).hexdigest().encode() + b"\n" + content


def clear(folder: Path) -> None:
    """Delete what an interrupted conversion has left."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif not path.name.startswith(".lock"):
            path.unlink(missing_ok=True)


def discard(folder: Path, lock: RunLock) -> None:
    """Delete a folder whose conversion has failed, unless another process has taken it over, and give its lock back."""
    if not lock.is_held:
        return
    with suppress(OSError):
        clear(folder)
    lock.release()
    with suppress(OSError):
        folder.rmdir()


def entries(data_dir: str | Path) -> Iterator[Entry]:
    """What the cache has, by name."""
    folder = cache_folder(data_dir)
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if not path.is_dir():
            continue
        files = [file for file in path.rglob("*") if file.is_file()]
        header = read_header(path)
        used = max((file.stat().st_mtime for file in files), default=path.stat().st_mtime)
        yield Entry(
            path.name,
            sum(file.stat().st_size for file in files),
            used,
            None if header is None else str(header["about"]),
        )


def delete(data_dir: str | Path, name: str) -> None:
    """Delete one of the cache's folders.

    Raises:
        InUseError: if a process is filling it.
        Failure: if it can't be deleted.
    """
    folder = cache_folder(data_dir) / name
    lock = RunLock(folder)
    lock.acquire()
    discard(folder, lock)
    if folder.exists():
        raise Failure(f"can't delete all of {folder}")
