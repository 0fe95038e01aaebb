"""Whether a search slows down: ``python -m benchmarks.trials --trials 1000`` searches xor, and compares its trials.

It prints how long the first and the last tenth of the trials took, by the clock and in processor seconds of all
processes, and the ratios of both. On a machine that others use, the second one counts.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

SEARCH = [sys.executable, str(Path(__file__).parents[1] / "scripts" / "search.py")]
SPACE = "{lr: [1e-4, 1e-1, log], dropout: [0, 0.5], hidden: [[8], [16], [8,8]], activation: [relu, tanh]}"
XOR = ["--task", "xor", "--accelerator", "cpu", "--max_epochs", "2", "--batch_size", "64", "--space", SPACE]


class Moment(NamedTuple):
    """What had passed since some beginning.

    Attributes:
        clock: seconds.
        processor: seconds of all processors, in all processes.
    """

    clock: float
    processor: float

    def since(self, earlier: "Moment") -> "Moment":
        """What passed between two moments."""
        return Moment(self.clock - earlier.clock, self.processor - earlier.processor)


def main(argv: list[str]) -> None:
    """Search, and print the times."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trials", description=__doc__)
    parser.add_argument("--trials", type=int, default=1000, help="how many, ten at least")
    parser.add_argument("--jobs", default="2", help="side by side")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        flags = [*XOR, "--trials", str(options.trials), "--jobs", options.jobs]
        ended = moments([*SEARCH, *flags], Path(folder), "trial ")
    tenth = len(ended) // 10
    first, last = ended[tenth].since(ended[0]), ended[-1].since(ended[-1 - tenth])
    print(f"{len(ended)} trials; of these the first and the last {tenth}:")
    print(f"clock      {first.clock:.1f} s, {last.clock:.1f} s, ratio {last.clock / first.clock:.2f}")
    print(f"processors {first.processor:.1f} s, {last.processor:.1f} s, ratio {last.processor / first.processor:.2f}")


def moments(command: list[str], folder: Path, prefix: str) -> list[Moment]:
    """Run a command in a folder: the moment of each line that begins with the prefix.

    Raises:
        SystemExit: if it fails.
    """
    found: list[Moment] = []
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 (a list)
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(prefix):
                found.append(Moment(time.monotonic(), processor_seconds(process.pid)))
    if process.returncode:
        sys.exit(process.returncode)
    return found


def processor_seconds(pid: int) -> float:
    """What a process and all that it started have computed; 0 if it has just ended."""
    try:
        ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK") + sum(processor_seconds(int(child)) for child in children)


if __name__ == "__main__":
    main(sys.argv[1:])
