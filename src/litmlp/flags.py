"""Command lines: an argparse parser with our manners, and what argparse doesn't check."""

import argparse
import re
import sys
from itertools import takewhile
from typing import Any, NoReturn

from litmlp.errors import UsageError


def check_values(argv: list[str]) -> None:
    """Check that no flag has the value ``--``, which argparse removes before Python 3.13, leaving an empty list.

    Raises:
        UsageError: if one has.
    """
    for word in takewhile(lambda word: word != "--", argv):
        if re.fullmatch("--[^=]+=--", word):
            raise UsageError(f"{word}: -- can't be a value")


class Parser(argparse.ArgumentParser):
    """An argparse parser that takes no abbreviations, and raises a UsageError for a wrong flag."""

    def __init__(self, prog: str | None = None, description: str | None = None, add_help: bool = True) -> None:
        super().__init__(prog, description=description, add_help=add_help, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Raise the UsageError."""
        raise UsageError(message)

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print a message; argparse's own drops what can't be written without a word."""
        print(message, end="", file=file or sys.stderr)
