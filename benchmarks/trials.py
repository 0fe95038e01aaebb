"""Whether a search slows down: ``python -m benchmarks.trials --trials 1000`` searches xor, and compares its trials.

It prints how long the first and the last tenth of the trials took, and the ratio of both.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import optuna

from litmlp.studies.storage import open_journal

SPACE = "{lr: [1e-4, 1e-1, log], dropout: [0, 0.5], hidden: [[8], [16], [8,8]], activation: [relu, tanh]}"


def main(argv: list[str]) -> None:
    """Search, and print the times."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trials", description=__doc__)
    parser.add_argument("--trials", type=int, default=1000, help="how many, ten at least")
    parser.add_argument("--jobs", default="2", help="side by side")
    options = parser.parse_args(argv)
    program = Path(__file__).parents[1] / "scripts" / "search.py"
    flags = ["--task", "xor", "--accelerator", "cpu", "--max_epochs", "2", "--batch_size", "64", "--space", SPACE]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(program), *flags, "--trials", str(options.trials), "--jobs", options.jobs]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 (a list)
        journal = open_journal(Path(folder, "lightning_logs", "xor", "xor-search", "journal.log"))
        trials = optuna.load_study(study_name="xor/xor", storage=journal).trials
    ended = sorted(trial.datetime_complete for trial in trials if trial.datetime_complete is not None)
    tenth = len(ended) // 10
    first, last = (ended[end] - ended[begin] for begin, end in ((0, tenth), (-1 - tenth, -1)))
    print(f"first {tenth} of {len(ended)} trials: {first.total_seconds():.1f} s, last: {last.total_seconds():.1f} s")
    print(f"ratio {last / first:.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
