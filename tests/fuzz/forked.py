"""Kinds of cases that are a command with its input, each run in a forked process."""

import math
import shutil
import sys
from collections.abc import Callable
from contextlib import chdir
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple, Protocol

import litmlp
from litmlp.commands import by_hand, cache, compare, export, fit, predict, search, serve, test
from litmlp.commands.console import run
from tests.fuzz.bodies import TABLE_CSV
from tests.fuzz.cases import Case, Failure
from tests.fuzz.images import png
from tests.fuzz.judge import judge, was_refused
from tests.fuzz.sandbox import Box, Ending

SCRIPTS = Path(__file__).parents[2] / "scripts"
IMPORTED = (by_hand, cache, compare, export, fit, predict, search, serve, test)  # before any fork, lest each case do it
SMALL = "--accelerator cpu --limit_train_batches 4 --max_epochs"
# The runs that are there when a case begins.
FITS = (
    f"--task xor --run base {SMALL} 2 --hidden [4] --batch_norm true --schedule cosine"
    " --callbacks+=EarlyStopping --callbacks.monitor=val/loss"
    " --callbacks+=ModelCheckpoint --callbacks.monitor=val/loss --callbacks.filename={epoch}-{step}",
    f"--task log_value --run value {SMALL} 1",
    f"--task digits --run digits {SMALL} 1 --hidden [8] --conv [2]",
    f"--task table --run rows {SMALL} 1 --hidden [4] --bins 2 --embedding 2 --members 2 --data rows.csv --target y",
)


class Result(NamedTuple):
    """What came of a case: whether it was refused, and the rules that it broke."""

    refused: bool
    failures: list[Failure]


class Kind(Protocol):
    """A kind of cases."""

    def run(self, seed: int, number: int) -> Result:
        """Run a case."""

    def show(self, seed: int, number: int) -> Result:
        """Run a case, and print it with all that it prints."""

    def smallest(self, seed: int, number: int, failure: Failure) -> str:
        """The smallest case that fails so, for people."""

    def close(self) -> list[Failure]:
        """End; what broke at that."""


class Forked:
    """A kind of cases that are a command with its input.

    Args:
        name: of the kind.
        make: makes a case, given the folder that cases begin with.
        folder: for what cases write.
        base: the folder that cases begin with.
    """

    def __init__(self, name: str, make: Callable[[Random, Path], Case], folder: Path, base: Path) -> None:
        self.name, self.make, self.folder, self.base = name, make, folder, base

    def case(self, seed: int, number: int) -> Case:
        """The case of that number."""
        return self.make(Random(f"{self.name} {seed} {number}"), self.base)

    def run(self, seed: int, number: int) -> Result:
        """Run a case."""
        case = self.case(seed, number)
        ending = self.end(case)
        return Result(was_refused(ending), judge(case, ending))

    def end(self, case: Case) -> Ending:
        """Run a case to its end."""
        box = Box(self.folder / "case", self.base)
        with chdir(box.work):
            for step in case.steps:
                if step.prepare is not None:
                    step.prepare()
        return box.run(lambda: act(case), case.encoding)

    def smallest(self, seed: int, number: int, failure: Failure) -> str:
        """The case without the steps without which it still fails so; one that hangs takes too long to try."""
        case = self.case(seed, number)
        for step in case.steps if failure.rule != "hang" else ():
            smaller = case.without(step)
            if failure in judge(smaller, self.end(smaller)):
                case = smaller
        return str(case)

    def show(self, seed: int, number: int) -> Result:
        """Run a case, and print it with all that it prints."""
        case = self.case(seed, number)
        ending = self.end(case)
        print(f"{case}\nencoding {case.encoding}, exit code {ending.code}")
        for name, text in (("stdout", ending.out), ("stderr", ending.err)):
            print(f"--- {name}", *(line if line.isprintable() else ascii(line) for line in text.splitlines()), sep="\n")
        return Result(was_refused(ending), judge(case, ending))

    def close(self) -> list[Failure]:
        """End; what broke at that."""
        shutil.rmtree(self.folder / "case", ignore_errors=True)
        return []


def act(case: Case) -> None:
    """Run a case's command in this process, and end it."""
    sys.argv = [str(SCRIPTS / f"{case.command}.py"), *case.argv]  # with which Lightning starts other processes
    sys.modules["__main__"].__spec__ = None
    if case.command != "load":
        run(case.command, f"{case.command}.py", case.argv)
    try:
        litmlp.load(case.argv[0])
    except litmlp.Failure as failure:
        path = str(Path(case.argv[0]))  # the caller knows, and shows as it likes, the path that it has chosen
        print(f"load.py: {str(failure).replace(path, 'PATH')}", file=sys.stderr)
        sys.exit(1)


def make_base(folder: Path) -> Path:
    """The folder that cases begin with, which has small runs of several tasks."""
    box = Box(folder / "base", None)
    (box.work / "rows.csv").write_text(TABLE_CSV)
    header, rows = TABLE_CSV.split("\n", 1)
    (box.work / "many.csv").write_text(f"{header}\n{rows * 400}")
    for label in ("cat", "dog"):
        (box.work / "photos" / label).mkdir(parents=True)
        for number in range(8):
            content = png(8, 8, Random(f"{label} {number}").randbytes(8).join([b"\0"] * 9))
            (box.work / "photos" / label / f"{number}.png").write_bytes(content)
    for flags in FITS:
        ending = box.run(partial(run, "fit", "fit.py", flags.split()), enough=math.inf)
        assert ending.code == 0, ending.err
    return box.work
