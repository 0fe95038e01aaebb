"""An argparse parser with our manners."""

import argparse
from typing import NoReturn

from litmlp.errors import UsageError


class Parser(argparse.ArgumentParser):
    """An argparse parser that takes no abbreviations, and raises a UsageError for a wrong flag."""

    def __init__(self, prog: str | None = None, description: str | None = None, add_help: bool = True) -> None:
        super().__init__(prog, description=description, add_help=add_help, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Raise the UsageError."""
        raise UsageError(message)
