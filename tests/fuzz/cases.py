"""What a case is: a command, and the steps that make its input."""

import shlex
from collections.abc import Callable, Iterable
from typing import NamedTuple


class Step(NamedTuple):
    """A part of a case that can be left out, to find the smallest case that fails.

    Attributes:
        words: what it adds to the command line.
        prepare: what it does to the working folder before.
        about: what that is, for people.
    """

    words: tuple[str, ...] = ()
    prepare: Callable[[], object] | None = None
    about: str = ""


class Case(NamedTuple):
    """A command with its input.

    Attributes:
        command: the module of ``litmlp.commands``, or ``load`` for ``litmlp.load``.
        words: the part of the command line that every smaller case keeps.
        steps: the rest.
        encoding: of the terminal.
    """

    command: str
    words: tuple[str, ...]
    steps: tuple[Step, ...]
    encoding: str = "utf-8"

    @property
    def argv(self) -> list[str]:
        """The command line, without the command."""
        return [*self.words, *(word for step in self.steps for word in step.words)]

    @property
    def mentioned(self) -> str:
        """Everything that the user named."""
        return " ".join([*self.argv, *(step.about for step in self.steps)])

    def without(self, step: Step) -> "Case":
        """The case with one step less."""
        return self._replace(steps=tuple(other for other in self.steps if other is not step))

    def __str__(self) -> str:
        notes = [step.about for step in self.steps if step.about]
        return "\n".join([f"{self.command}.py {quoted(self.argv)}", *(f"  where {note[:500]}" for note in notes)])


class Failure(NamedTuple):
    """A rule that a case broke.

    Attributes:
        rule: which.
        detail: how, in one line; equal for what is probably the same bug.
    """

    rule: str
    detail: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.detail}"


def quoted(argv: Iterable[str]) -> str:
    """A command line for people to paste into a shell, whatever it holds."""
    return " ".join(shlex.quote(word) if word.isprintable() else dollar_quoted(word) for word in argv)


def dollar_quoted(word: str) -> str:
    """A word in the shell's quotes for bytes: ``$'…'``."""
    content = word.encode("utf-8", "surrogateescape" if is_from_bytes(word) else "backslashreplace")
    plain = "".join(chr(byte) if 32 <= byte < 127 and byte not in b"'\\" else f"\\x{byte:02x}" for byte in content)
    return f"$'{plain}'"


def is_from_bytes(word: str) -> bool:
    """Whether all lone surrogates in it stand for bytes, as on a command line that isn't UTF-8."""
    return not any("\ud800" <= character <= "\udc7f" or "\udd00" <= character <= "\udfff" for character in word)
