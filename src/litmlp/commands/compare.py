"""``litmlp compare``: fits one task several times with one flag varied, and shows what the flag did."""

import argparse
from pathlib import Path

from litmlp.commands.extras import require
from litmlp.errors import UsageError, about
from litmlp.files import check_writable, regular_file, write_durably, writing
from litmlp.flags import Parser
from litmlp.settings.command_line import first_pass
from litmlp.signals import INTERRUPTION
from litmlp.studies.fits import Fit, plan, read_seeds, read_values
from litmlp.studies.jobs import Jobs
from litmlp.studies.outcomes import outcome_of, table
from litmlp.studies.plots import picture
from litmlp.studies.sharing import add_jobs, jobs_at_once, share_threads
from litmlp.training.quiet import silence_libraries
from litmlp.training.torchrun import under_torchrun

ADVICE = "choose another --out or --default_root_dir"
NEVER_VARIED = ("task", "config", "print_config", "help", "run", "resume", "default_root_dir")


def main(argv: list[str]) -> None:
    """Run the command. All fits are checked before the first one starts; those that are complete aren't made again.

    Raises:
        UsageError: if a flag is wrong, or contradicts a fit of an earlier command.
        Failure: if a fit was killed, or the picture can't be written.
    """
    silence_libraries()
    flags, others = read_flags(argv)
    flag, text = flags.vary[0]
    values, seeds = read_values(flag, text), read_seeds(flags.seeds)
    require("compare.py", "vl_convert", of="requirements-compare.txt")
    with Jobs() as jobs:
        threads = share_threads(flags, len(values) * len(seeds or [0]))
        fits = plan(flag, values, seeds, flags.name, others)
        pictures = pictures_of(fits, flags.out)
        make_fits(fits, flag, jobs, jobs_at_once(flags, fits[0].command.settings), threads)
    outcomes = [outcome_of(fit.run, fit.label, fit.command.settings.seed, fit.parameters) for fit in fits]
    print("\n".join(["", *table(flag, outcomes)]))
    if seeds is not None and len(seeds) > 1:
        print(f"\nMean ± std of the seeds {', '.join(map(str, seeds))}.")
    svg, png = picture(f"Task {fits[0].command.settings.task}, --{flag} varied", flag, values, outcomes)
    print()
    for path, content in zip(pictures, (svg.encode(), png), strict=True):
        write(path, content)


def pictures_of(fits: list[Fit], out: str | None) -> list[Path]:
    """Where the picture is going to be written.

    Raises:
        UsageError: if there is something else than a file.
        Failure: if the fits or the picture can't be written.
    """
    task_folder, name = fits[0].run.folder.parent, fits[0].comparison
    folder = Path(out) if out is not None else task_folder / f"{name}-comparison"
    for place in (folder, task_folder):
        check_writable(place, ADVICE)
    pictures = [folder / f"{name}.{kind}" for kind in ("svg", "png")]
    for path in pictures:
        with about("--out"):
            regular_file(path)
    return pictures


def make_fits(fits: list[Fit], flag: str, jobs: Jobs, at_once: int, threads: int) -> None:
    """Make the fits that aren't complete, and print what each prints.

    Raises:
        Failure: if a fit was killed.
        SystemExit: if a fit failed, with its exit code.
    """
    INTERRUPTION.advice = "resume with the same command"
    incomplete = [fit.run.read_results() is None for fit in fits]
    printed = jobs.in_order(
        [fit.flags for fit, is_missing in zip(fits, incomplete, strict=True) if is_missing], at_once, threads
    )
    for number, (fit, is_missing) in enumerate(zip(fits, incomplete, strict=True), 1):
        line = f"{number} of {len(fits)}: {flag}={fit.label}, seed {fit.command.settings.seed}"
        print(line if is_missing else f"{line}, is complete", flush=True)
        if is_missing:
            print(next(printed), end="", flush=True)


def read_flags(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """This command's own flags, and those that are fit.py's.

    Raises:
        UsageError: if a flag is missing, or goes against another.
    """
    parser = Parser(
        "compare.py",
        "Fit a task several times with one flag varied, and show what the flag did: a table, and a picture of the"
        " curves. All other flags are fit.py's. The same command resumes where it was stopped.",
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
    parser.add_argument("--name", help="names the comparison and its runs; TASK-FLAG by default")
    add_jobs(parser)
    parser.add_argument("--out", metavar="FOLDER", help="where to write the picture; beside the runs by default")
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


def write(path: Path, content: bytes) -> None:
    """Write a file of the picture, and say where it is.

    Raises:
        Failure: if it can't be written.
    """
    with writing(path, ADVICE):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(regular_file(path), lambda temporary: temporary.write_bytes(content))
    print(f"picture          {path}")
