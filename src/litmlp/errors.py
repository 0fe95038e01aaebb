"""The two ways in which a command says that it can't continue: each becomes one line on stderr."""

from collections.abc import Iterator
from contextlib import contextmanager

LONGEST_LINE = 2000


class UsageError(ValueError):
    """A flag, a setting or a combination of them is wrong: exit code 2."""


class Failure(RuntimeError):  # noqa: N818 (that is what it is called everywhere)
    """The flags are right, but the world isn't: a file, the data, a device, the network. Exit code 1."""


@contextmanager
def about(subject: str) -> Iterator[None]:
    """Begin the message of either error with its subject, such as the flag that a value came from."""
    try:
        yield
    except (UsageError, Failure) as error:
        raise type(error)(f"{subject} {error}") from error


def one_line(message: str) -> str:
    """A message as a line that a terminal can show, whatever values it quotes: at most ``LONGEST_LINE`` characters."""
    shown = printable(" ".join(message.split()))
    return shown if len(shown) <= LONGEST_LINE else f"{shown[: LONGEST_LINE - 301]}…{shown[-300:]}"


def printable(text: str) -> str:
    """A text with escapes in place of what could control a terminal."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
