"""Candidates: commands that are measured in processes of their own, taking turns."""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
END_OF_EPOCH = re.compile(r"(epoch|Iteration) \d+")
ACCURACY = re.compile(r"test/accuracy +([\d.]+)")
WEIGHTS = re.compile(r"last weights +sha256 (\w+)")


class Candidate(NamedTuple):
    """A command and the name that rows know it by. ``{round}`` in an argument is the number of the round, from 0."""

    name: str
    command: list[str]


class Measurement(NamedTuple):
    """What one process took.

    Attributes:
        seconds: from its start to its end.
        epoch: seconds of an epoch, the mean of all but the first, which is the warm-up.
        peak: the most memory that was resident, in MB (10⁶ bytes).
        accuracy: on the test samples, from 0 to 1.
        weights: hash of its last weights.
        processor: seconds that it took of processors, which other processes hardly change.
    """

    seconds: float
    epoch: float | None = None
    peak: float = 0.0
    accuracy: float | None = None
    weights: str | None = None
    processor: float = 0.0


def measure(candidate: Candidate, turn: int) -> Measurement:
    """Run a candidate, in an empty folder, and take the time at which each line of its output comes.

    Raises:
        SystemExit: if it fails, with the end of its stderr.
    """
    command = [part.replace("{round}", str(turn)) for part in candidate.command]
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as errors:
        start = time.monotonic()
        with subprocess.Popen(  # noqa: S603 (the commands are our own)
            command, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process:
            assert process.stdout is not None
            lines = [(line, time.monotonic()) for line in process.stdout]
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.monotonic() - start
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            sys.exit(f"{candidate.name} failed: {' '.join(command)}\n{errors.read()[-2000:]}")
    output = "".join(line for line, _ in lines)
    ends = [moment for line, moment in lines if END_OF_EPOCH.match(line)]
    accuracy = ACCURACY.search(output)
    weights = WEIGHTS.search(output)
    return Measurement(
        seconds,
        epoch=(ends[-1] - ends[0]) / (len(ends) - 1) if len(ends) > 1 else None,
        peak=usage.ru_maxrss * 1024 / 1e6,
        accuracy=float(accuracy[1]) if accuracy else None,
        weights=weights[1] if weights else None,
        processor=usage.ru_utime + usage.ru_stime,
    )


def environment() -> dict[str, str]:
    """Our environment variables, with our packages to be found and byte-code kept, as it is on a user's machine."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]), "PYTHONUNBUFFERED": "1"}


def take_turns(candidates: list[Candidate], rounds: int) -> dict[str, list[Measurement]]:
    """Measure all candidates once in each round, so that what disturbs the machine disturbs all alike."""
    measured: dict[str, list[Measurement]] = {candidate.name: [] for candidate in candidates}
    for turn in range(rounds):
        for candidate in candidates:
            measurement = measure(candidate, turn)
            measured[candidate.name].append(measurement)
            print(f"round {turn + 1}/{rounds}  {candidate.name}: {measurement}", file=sys.stderr, flush=True)
    return measured
