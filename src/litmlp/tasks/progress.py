"""How far a conversion is: a line that a terminal writes over."""

import sys
import time

from litmlp.notes import is_first_process

SILENT = 2.0  # seconds before anything is shown
REFRESH = 0.2  # seconds between two states on a terminal


class Progress:
    """Shows how many rows are done.

    Args:
        total: rows.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self.due = time.monotonic() + SILENT
        self.shown = False
        self.on_terminal = sys.stderr.isatty() and is_first_process()

    def add(self, rows: int) -> None:
        """So many more are done."""
        self.done += rows
        if self.on_terminal and time.monotonic() >= self.due:
            print(f"\rconverting rows: {self.done:,} of {self.total:,}", end="", file=sys.stderr, flush=True)
            self.due = time.monotonic() + REFRESH
            self.shown = True

    def close(self) -> None:
        """End the line on a terminal."""
        if self.shown:
            print(file=sys.stderr)
