"""What a search costs beside its fits: ``python -m benchmarks.overhead`` searches digits, and makes its fits again.

These are too few trials for one to be stopped. It prints what they took, by the clock and in processor seconds of all
processes, from the first one's end to the last one's, the same of the fits alone, one after the other and forked as
warm, and the ratios of both. On a machine that others use, the second one counts.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.trials import SEARCH, moments
from litmlp.runs import Run
from litmlp.studies.fits import flags_of_run
from litmlp.studies.jobs import Jobs
from litmlp.studies.warm import WarmStarter

SPACE = "{lr: [1e-3, 1e-2, log], dropout: [0, 0.5], label_smoothing: [0, 0.2], weight_decay: [0, 0.1]}"
MOST = 10  # trials before one is stopped
AGAIN = [sys.executable, "-m", "benchmarks.overhead", "--again"]


def main(argv: list[str]) -> None:
    """Search, fit again, and print the times."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead", description=__doc__)
    parser.add_argument("--epochs", default="100", help="of each fit: by default these take five seconds and more")
    parser.add_argument("--trials", type=int, default=MOST, help=f"how many, {MOST} at most")
    parser.add_argument("--again", type=Path, help="only make the fits of this search again")
    options = parser.parse_args(argv)
    if options.again is not None:
        fit_again(options.again, options.trials)
        return
    digits = ["--task", "digits", "--accelerator", "cpu", "--max_epochs", options.epochs, "--space", SPACE]
    trials = ["--trials", str(options.trials)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        search, fits = (
            ended[-1].since(ended[0])
            for ended in (
                moments([*SEARCH, *digits, *trials, "--jobs", "1"], folder, "trial "),
                moments([*AGAIN, str(folder / "lightning_logs" / "digits"), *trials], Path.cwd(), "fit "),
            )
        )
    print(f"{options.trials - 1} trials and the same fits alone, {fits.clock / (options.trials - 1):.1f} s each:")
    print(f"clock      {search.clock:.1f} s, {fits.clock:.1f} s, ratio {search.clock / fits.clock:.3f}")
    print(f"processors {search.processor:.1f} s, {fits.processor:.1f} s, ratio {search.processor / fits.processor:.3f}")


def fit_again(folder: Path, trials: int) -> None:
    """Make the fits of a search's trials once more, one after the other.

    Args:
        folder: of their runs.
        trials: how many there are.
    """
    settings = [["--config", str(Run(folder / f"digits-trial-{number}").config)] for number in range(trials)]
    where = ["--default_root_dir", str(folder.parents[1])]
    with Jobs(WarmStarter()) as jobs:
        fits = [[*config, *where, *flags_of_run(f"again-{number}")] for number, config in enumerate(settings)]
        for number, _ in enumerate(jobs.in_order(fits, at_once=1, threads=1)):
            print(f"fit {number}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
