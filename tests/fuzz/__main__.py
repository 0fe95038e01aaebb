"""The command ``python -m tests.fuzz``."""

import argparse
import gc
import shutil
import sys
import tempfile
from pathlib import Path

import torch

from tests.fuzz.session import KINDS, Session


def main(argv: list[str]) -> int:
    """Make the cases, report, and return the exit code: 0 if none failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="are shared equally among the kinds")
    parser.add_argument("--count", help="cases of each kind instead, or of each its own: flags=100,requests=1000")
    parser.add_argument("--only", default=",".join(KINDS), help="kinds, separated by commas")
    parser.add_argument("--seed", type=int, default=0, help="of the cases")
    parser.add_argument("--case", metavar="SEED:NUMBER", help="one case of the kind --only, with what it prints")
    options = parser.parse_args(argv)
    counts = counts_of(options.count or "0", options.only.split(","))
    if unknown := counts.keys() - KINDS.keys():
        parser.error(f"there is no kind {', '.join(unknown)}; there are {', '.join(KINDS)}")
    seed, _, number = (options.case or str(options.seed)).partition(":")
    torch.set_num_threads(1)
    gc.freeze()  # what is here already isn't copied for each case
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        session = Session(folder, list(counts), int(seed))
        if number:
            session.show(next(iter(counts)), int(number))
        elif options.count:
            session.make_counts(counts)
        else:
            session.make_for(options.seconds)
        return min(1, session.close())
    finally:
        gc.unfreeze()
        shutil.rmtree(folder, ignore_errors=True)


def counts_of(text: str, kinds: list[str]) -> dict[str, int]:
    """How many cases of each kind: one number for all, or ``kind=number`` with commas between them."""
    if "=" not in text:
        return dict.fromkeys(kinds, int(text))
    return {name: int(count) for name, _, count in (pair.partition("=") for pair in text.split(","))}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
