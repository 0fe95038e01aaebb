"""An argparse parser with our manners."""

import argparse
import sys
from typing import Any, NoReturn

from litmlp.errors import UsageError


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
