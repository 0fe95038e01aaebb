"""Rounds with two processes that are given one run: one trains it, the other ends in one line."""

import re
import subprocess
import time
from pathlib import Path
from random import Random

from tests.faults.kills import ENVIRONMENT

IN_USE = re.compile(
    r"fit\.py: \S+ (is in use by process \d+ on host \S+ since [\d-]+ [\d:]+: wait for it, stop it,"
    r" or choose another --run"
    r"|was just trained further by another process: start the same command again)\n"
)


def compete(command: list[str], cwd: Path, random: Random, lifetime: float) -> tuple[list[str], list[str]]:
    """Start two processes, the second at a drawn moment in the life of the first, and wait for both.

    Returns:
        The moment, for people, and what was wrong: each has to train the run to its end, to find it complete, or to
        leave it to the other in one line; and one has to train it.
    """
    delay = random.choice([0.0, random.uniform(0, 0.2), random.uniform(0, lifetime)])
    first = begin(command, cwd, "first")
    time.sleep(delay)
    second = begin(command, cwd, "second")
    wrong, trained = [], 0
    for name, process in (("first", first), ("second", second)):
        code = process.wait()
        out, errors = (cwd / f"{name}.out").read_text(), (cwd / f"{name}.err").read_text()
        is_refused = code == 1 and not out and IN_USE.fullmatch(errors) is not None
        trained += code == 0 and "\nepoch " in out
        if not is_refused and (code, errors) != (0, ""):
            wrong.append(f"the {name} process: exit code {code}, stderr {errors!r}")
    if trained != 1:
        wrong.append(f"{trained} processes trained it")
    return [f"the second {delay:.3f} s after the first"], wrong


def begin(command: list[str], cwd: Path, name: str) -> "subprocess.Popen[bytes]":
    """Start a process whose output goes to files of that name."""
    with (cwd / f"{name}.out").open("w") as out, (cwd / f"{name}.err").open("w") as err:
        return subprocess.Popen(command, cwd=cwd, stdout=out, stderr=err, env=ENVIRONMENT)
