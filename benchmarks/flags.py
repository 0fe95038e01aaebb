"""What the flags of both benchmarks may be."""

import argparse
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path


def interpreter(text: str) -> str:
    """The path of the interpreter that a flag names."""
    found = shutil.which(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text}: there is no such interpreter")
    return str(Path(found).absolute())


def some_of(choices: Iterable[str]) -> Callable[[str], list[str]]:
    """What reads a flag that names some of the choices, with commas between them."""
    known = list(choices)

    def names(text: str) -> list[str]:
        chosen = text.split(",")
        unknown = [name for name in chosen if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"no {unknown[0]}; there are {', '.join(known)}")
        return chosen

    return names
