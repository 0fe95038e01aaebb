"""A session: cases of several kinds, and what came of them."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from tests.fuzz import checkpoints, commands, files, flags, images, tables
from tests.fuzz.cases import Failure
from tests.fuzz.forked import Forked, Kind, make_base
from tests.fuzz.requests import Requests

KINDS: dict[str, Callable[[Path, Path], Kind]] = {
    "flags": partial(Forked, "flags", flags.make),
    "commands": partial(Forked, "commands", commands.make),
    "files": partial(Forked, "files", files.make),
    "checkpoints": partial(Forked, "checkpoints", checkpoints.make),
    "images": partial(Forked, "images", images.make),
    "tables": partial(Forked, "tables", tables.make),
    "requests": Requests,
}


class Session:
    """Makes cases, and reports those that fail.

    Args:
        folder: for all that is written.
        kinds: the names of the kinds.
        seed: of the cases.
    """

    def __init__(self, folder: Path, kinds: list[str], seed: int) -> None:
        base = make_base(folder)
        self.kinds = {name: KINDS[name](folder, base) for name in kinds}
        self.seed = seed
        self.seconds = dict.fromkeys(kinds, 0.0)
        self.counts: Counter[tuple[str, str]] = Counter()
        self.known: set[Failure] = set()

    def make_for(self, seconds: float) -> None:
        """Make cases for a time, which the kinds share equally."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.make(min(self.seconds, key=lambda name: self.seconds[name]))

    def make_counts(self, counts: Mapping[str, int]) -> None:
        """Make so many cases of each kind."""
        for name, count in counts.items():
            for _ in range(count):
                self.make(name)

    def make(self, name: str) -> None:
        """Make the next case of a kind."""
        start, number = time.monotonic(), self.counts[name, "cases"]
        result = self.kinds[name].run(self.seed, number)
        self.counts[name, "cases"] += 1
        self.counts[name, "refused" if result.refused else "ran"] += 1
        self.counts[name, "failures"] += bool(result.failures)
        for failure in result.failures:
            self.report(name, number, failure)
        self.seconds[name] += time.monotonic() - start

    def report(self, name: str, number: int, failure: Failure) -> None:
        """Print a failure, how to reproduce it and, when it is first seen, the smallest case that fails so."""
        print(f"{failure}\n  python -m tests.fuzz --only {name} --case {self.seed}:{number}", flush=True)
        if failure not in self.known:
            self.known.add(failure)
            self.counts[name, "distinct"] += 1
            print("  " + self.kinds[name].smallest(self.seed, number, failure).replace("\n", "\n  "), flush=True)

    def show(self, name: str, number: int) -> None:
        """Make one case, and print it with all that it prints."""
        result = self.kinds[name].show(self.seed, number)
        self.counts[name, "failures"] += bool(result.failures)
        print(*result.failures, sep="\n")

    def close(self) -> int:
        """End, print the summary, and return how many failures there were."""
        for name, kind in self.kinds.items():
            for failure in kind.close():
                print(f"{name}: {failure}, at the end")
                self.counts[name, "failures"] += 1
            cases, refused, ran, failures, distinct = (
                self.counts[name, what] for what in ("cases", "refused", "ran", "failures", "distinct")
            )
            if cases:
                came_of_it = f"{refused} refused, {ran} ran, {failures} failures ({distinct} distinct)"
                print(f"{name:11} {cases} cases: {came_of_it}, {cases / self.seconds[name]:.1f} cases/s")
        return sum(self.counts[name, "failures"] for name in self.kinds)
