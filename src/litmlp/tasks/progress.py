"""How far a conversion is: a line that a terminal writes over, and elsewhere one line, of what takes long."""

import sys
import time
from typing import Self

from litmlp.notes import is_first_process, note

SILENT = 2.0  # seconds before anything is shown
REFRESH = 0.2  # seconds between two states on a terminal


class Progress:
    """Shows how much is done, until it is left; then the terminal's line ends, whatever happened.

    Args:
        what: is converted, in the plural.
        total: how many there are.
    """

    def __init__(self, what: str, total: int) -> None:
        self.what = what
        self.total = total
        self.done = 0
        self.due = time.monotonic() + SILENT
        self.shown = False
        self.on_terminal = sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.shown and self.on_terminal:
            print(file=sys.stderr)

    def add(self, count: int = 1) -> None:
        """So many more are done."""
        self.done += count
        if time.monotonic() < self.due or not is_first_process():
            return
        if self.on_terminal:
            print(f"\rconverting {self.what}: {self.done:,} of {self.total:,}", end="", file=sys.stderr, flush=True)
            self.due = time.monotonic() + REFRESH
        elif not self.shown:
            note(f"converting {self.total:,} {self.what}: the next start finds them converted")
        self.shown = True
