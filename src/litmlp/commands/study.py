"""What compare and search have in common: the flags of others, the fits, and the files that they write."""

from collections.abc import Sequence
from pathlib import Path

from litmlp.errors import UsageError, about
from litmlp.files import check_writable, regular_file, write_durably, writing
from litmlp.settings.command_line import first_pass
from litmlp.signals import INTERRUPTION
from litmlp.studies.fits import Fit
from litmlp.studies.jobs import Jobs
from litmlp.training.torchrun import under_torchrun

ADVICE = "choose another --out or --default_root_dir"
NEVER_VARIED = ("task", "config", "print_config", "help", "run", "resume", "default_root_dir")


def check_others(others: Sequence[str], given: Sequence[str], program: str, study: str) -> None:
    """Check the flags that go to fit.py.

    Args:
        others: they.
        given: the names of the flags that the command itself gives their values.
        program: the command's name.
        study: what it makes.

    Raises:
        UsageError: if one is the command's own.
    """
    for index, flag in enumerate(given):
        if flag in given[:index] or any(other.partition("=")[0].rstrip("+") == f"--{flag}" for other in others):
            raise UsageError(f"--{flag}: the {study} itself gives it its values; leave it out")
    first = first_pass([*others])
    if first.run is not None or first.resume is not None:
        raise UsageError(f"--run and --resume: a {study} names its runs itself; use --name")
    if under_torchrun():
        raise UsageError(f"{program} starts its fits itself: start it without torchrun, with --devices")


def make_fits(fits: Sequence[Fit], jobs: Jobs, at_once: int, threads: int) -> None:
    """Make the fits that aren't complete, and print what each prints.

    Args:
        fits: in their order.
        jobs: starts them.
        at_once: how many are under way at most.
        threads: that each computes with, unless its flags say otherwise.

    Raises:
        Failure: if a fit was killed.
        SystemExit: if a fit failed, with its exit code.
    """
    INTERRUPTION.advice = "resume with the same command"
    missing = [fit for fit in fits if fit.run.read_results() is None]
    printed = jobs.in_order([fit.flags for fit in missing], at_once, threads)
    for number, fit in enumerate(fits, 1):
        line = f"{number} of {len(fits)}: {fit.title}, seed {fit.command.settings.seed}"
        print(line if fit in missing else f"{line}, is complete", flush=True)
        if fit in missing:
            print(next(printed), end="", flush=True)


def check_places(task_folder: Path, folder: Path, names: Sequence[str]) -> list[Path]:
    """The files that are going to be written into a folder.

    Args:
        task_folder: where the runs are.
        folder: of the files; like the other, it may not exist yet.
        names: of the files.

    Raises:
        UsageError: if there is something else than a file.
        Failure: if one of the folders can't be written to.
    """
    for place in (folder, task_folder):
        check_writable(place, ADVICE)
    paths = [folder / name for name in names]
    for path in paths:
        with about("--out"):
            regular_file(path)
    return paths


def write(what: str, path: Path, content: bytes) -> None:
    """Write a file, and say what and where it is.

    Raises:
        Failure: if it can't be written.
    """
    with writing(path, ADVICE):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(regular_file(path), lambda temporary: temporary.write_bytes(content))
    print(f"{what:16} {path}")
