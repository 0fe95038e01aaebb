"""What compare and search have in common: the fits, and the files that they write."""

from collections.abc import Sequence
from pathlib import Path

from litmlp.errors import about, printable
from litmlp.files import check_writable, regular_file, write_durably, writing
from litmlp.signals import INTERRUPTION
from litmlp.studies.fits import Fit
from litmlp.studies.jobs import Jobs

ADVICE = "choose another --out or --default_root_dir"


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
    print(printable(f"{what:16} {path}"))
