"""What a task says about its data on stderr: a line each, of the first process of a machine only."""

import os
import sys

from litmlp.errors import one_line


def note(text: str) -> None:
    """Print a note."""
    if is_first_process():
        print(one_line(f"note: {text}"), file=sys.stderr, flush=True)


def is_first_process() -> bool:
    """Whether this is the only process of a training on this machine, or its first."""
    return os.environ.get("LOCAL_RANK", "0") == "0"
