"""``scripts/compare.py``: fits one task several times with one flag varied, and shows what the flag did."""

import argparse
import os
from pathlib import Path
from tempfile import TemporaryFile

from litmlp.checkpoints import write_durably
from litmlp.command import first_pass
from litmlp.comparison.fit_process import make
from litmlp.comparison.outcomes import outcome_of, table
from litmlp.comparison.plots import picture
from litmlp.comparison.variants import plan, read_seeds, read_values
from litmlp.console import INTERRUPTION
from litmlp.errors import Failure, UsageError
from litmlp.extras import require
from litmlp.fit import silence_what_helps_nobody
from litmlp.flags import Parser
from litmlp.processes import under_torchrun

NEVER_VARIED = ("task", "config", "print_config", "help", "run", "resume", "default_root_dir")


def main(argv: list[str]) -> None:
    """Run the command. All fits are checked before the first one starts; those that are complete aren't made again.

    Raises:
        UsageError: if a flag is wrong, or contradicts a fit of an earlier command.
        Failure: if a fit was killed, or the picture can't be written.
    """
    silence_what_helps_nobody()
    flags, others = read_flags(argv)
    flag, text = flags.vary[0]
    values, seeds = read_values(flag, text), read_seeds(flags.seeds)
    require("compare.py", "vl_convert", of="requirements-compare.txt")
    fits = plan(flag, values, seeds, flags.name, others)
    task_folder, name = fits[0].run.folder.parent, fits[0].comparison
    folder = Path(flags.out) if flags.out is not None else task_folder / f"{name}-comparison"
    for place in (folder, task_folder):
        check_writable(place)
    INTERRUPTION.advice = "go on with the same command"
    for number, fit in enumerate(fits, 1):
        told = f"{number} of {len(fits)}: {flag}={fit.label}, seed {fit.command.settings.seed}"
        if fit.run.read_results() is not None:
            print(f"{told}, is complete")
        else:
            print(told, flush=True)
            make(fit.flags)
    outcomes = [outcome_of(fit.run, fit.label, fit.command.settings.seed, fit.parameters) for fit in fits]
    print("\n".join(["", *table(flag, outcomes)]))
    if seeds is not None and len(seeds) > 1:
        print(f"\nMean ± standard deviation of the seeds {', '.join(map(str, seeds))}.")
    svg, png = picture(f"Task {fits[0].command.settings.task}, --{flag} varied", flag, values, outcomes)
    print()
    write(folder / f"{name}.svg", svg.encode())
    write(folder / f"{name}.png", png)


def read_flags(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """This command's own flags, and those that are fit.py's.

    Raises:
        UsageError: if a flag is missing, or goes against another.
    """
    parser = Parser(
        "compare.py",
        "Fit a task several times with one flag varied, and show what the flag did: a table, and a picture of the"
        " curves. All other flags are fit.py's. The same command goes on where it was stopped.",
    )
    parser.add_argument(
        "--vary",
        nargs=2,
        action="append",
        required=True,
        metavar=("FLAG", "VALUES"),
        help="a flag of fit.py, and its values: a YAML list like '[0.1, 0.01]', or a mapping of labels to values like"
        " '{narrow: [16], wide: [512,256]}'",
    )
    parser.add_argument("--seeds", help="fits every value with each of them, e.g. '[0,1,2]'")
    parser.add_argument("--name", help="names the comparison and its runs; TASK-FLAG unless told otherwise")
    parser.add_argument(
        "--out", metavar="FOLDER", help="where to write the picture; beside the runs unless told otherwise"
    )
    flags, others = parser.parse_known_args(argv)
    varied = [flag for flag, _ in flags.vary]
    if len(varied) > 1:
        raise UsageError(f"--vary {' --vary '.join(varied)}: a comparison varies one flag")
    if varied[0] in NEVER_VARIED:
        raise UsageError(f"--vary {varied[0]}: this flag can't be varied")
    if flags.seeds is not None:
        varied.append("seed")
    for index, flag in enumerate(varied):
        if flag in varied[:index] or any(other.partition("=")[0].rstrip("+") == f"--{flag}" for other in others):
            raise UsageError(f"--{flag}: the comparison itself gives it its values; leave it out")
    first = first_pass(others)
    if first.run is not None or first.resume is not None:
        raise UsageError("--run and --resume: a comparison names its runs itself; use --name")
    if under_torchrun():
        raise UsageError("compare.py starts its fits itself: start it without torchrun, with --devices")
    return flags, others


def check_writable(folder: Path) -> None:
    """Check that a folder, which may not exist yet, can be written to, without making it.

    Raises:
        Failure: if it can't.
    """
    # Unlike Path.exists, this one says no where we have no rights to look.
    existing = next(place for place in (folder, *folder.absolute().parents) if os.path.exists(place))  # noqa: PTH110
    try:
        TemporaryFile(dir=existing).close()
    except OSError as error:
        raise cannot_write(folder, error) from None


def write(path: Path, content: bytes) -> None:
    """Write a file of the picture, and say where it is.

    Raises:
        Failure: if it can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, lambda temporary: temporary.write_bytes(content))
    except OSError as error:
        raise cannot_write(path, error) from None
    print(f"picture          {path}")


def cannot_write(path: Path, error: OSError) -> Failure:
    """What to say about a place that can't be written to."""
    return Failure(f"can't write {path} ({error.strerror}): choose another --out or --default_root_dir")
