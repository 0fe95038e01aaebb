"""Paths at which there is no ordinary file."""

import os
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

from tests.fuzz.cases import Step

NAMES = (
    "c.yaml",
    "a b",
    "ä.yaml",
    "a\nb",
    "\x1b[2Jx",
    "\udcff.yaml",
    "x" * 200,
    "-x",
    "--lr",
    "0,1",
    "last",
    "a/c.yaml",
)


def link_to(target: str, path: Path) -> None:
    """Make a symbolic link."""
    path.symlink_to(target)


def make_socket(path: Path) -> None:
    """Make a socket that nobody listens at."""
    if len(os.fsencode(path)) < 100:  # a longer name has no room in the kernel's structure
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.fsencode(path))


def make_huge(path: Path) -> None:
    """Make a file of 20 GB that takes no room."""
    path.touch()
    os.truncate(path, 20 * 10**9)


def make_unreadable(path: Path) -> None:
    """Make a file that only root can read."""
    path.write_text("task: xor")
    path.chmod(0)


SPECIAL: dict[str, Callable[[Path], object]] = {
    "nothing": lambda path: None,
    "a folder": Path.mkdir,
    "a deep folder": lambda path: path.joinpath(*"d" * 200).mkdir(parents=True),
    "a FIFO": os.mkfifo,
    "a socket": make_socket,
    "sparse and huge": make_huge,
    "without rights": make_unreadable,
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to its folder": partial(link_to, "."),
    "a link to nothing": partial(link_to, "nothing"),
    "a link to the memory": partial(link_to, "/proc/self/mem"),
    "a link to open files": partial(link_to, "/proc/self/fd"),
    **{
        f"a link to /dev/{name}": partial(link_to, f"/dev/{name}")
        for name in ("zero", "null", "full", "urandom", "tty")
    },
}


def special(random: Random, name: str) -> Step:
    """A path at which there is no ordinary file."""
    kind = random.choice(sorted(SPECIAL))
    return Step(prepare=lambda: SPECIAL[kind](cleared(name)), about=f"{name!a} is {kind}")


def holding(name: str, content: bytes) -> Step:
    """A file with that content."""
    return Step(prepare=lambda: cleared(name).write_bytes(content), about=f"{name!a} holds {content[:400]!r}")


def cleared(name: str) -> Path:
    """The path, with nothing there, in a folder that is there."""
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    return path
