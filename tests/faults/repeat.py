"""``python -m tests.faults.repeat FOLDER RUN… RUN:EPOCH…`` fits runs again, some of them up to an epoch."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from litmlp.runs import Run
from litmlp.studies.fits import flags_of_run
from litmlp.studies.job import Job
from litmlp.studies.jobs import Jobs
from litmlp.studies.warm import WarmStarter
from tests.faults.kills import ENVIRONMENT
from tests.faults.scenarios import ROOT


def repeat(folder: Path, runs: Sequence[tuple[str, int | None]]) -> list[Run]:
    """Fit runs once more, undisturbed, in a process of its own, as it forks: the new runs.

    Args:
        folder: of the runs.
        runs: the name of each, and the epoch that it is stopped at.
    """
    asked = [name if epoch is None else f"{name}:{epoch}" for name, epoch in runs]
    command = [sys.executable, "-m", "tests.faults.repeat", str(folder), *asked]
    environment = ENVIRONMENT | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    subprocess.run(command, cwd=folder.parents[1], env=environment, check=True)
    return [Run(folder / again(name)) for name, _ in runs]


def again(name: str) -> str:
    """The name of a run that repeats another."""
    return f"again-{name}"


def main(folder: Path, asked: list[str]) -> None:
    """Make the fits, one after the other."""
    with Jobs(WarmStarter()) as jobs:
        for one in asked:
            name, _, epoch = one.partition(":")
            flags = ["--config", str(Run(folder / name).config), *flags_of_run(again(name))]
            make(jobs, jobs.start(flags, threads=1, reports=True), int(epoch or 0))


def make(jobs: Jobs, job: Job, last: int) -> None:
    """Answer a fit's reports until it ends: it is stopped at the last epoch, if that isn't 0."""
    was_stopped = False
    while job.code is None:
        for one in jobs.wait():
            if one.code is None and one.report is not None:
                was_stopped = one.report["epoch"] == last
                one.answer(not was_stopped)
    job.end(was_stopped)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
