"""``litmlp search``: finds settings for a task that validate better than the recommended ones."""

import argparse
import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from litmlp.commands.extras import require
from litmlp.commands.study import check_places, make_fits, write
from litmlp.errors import Failure
from litmlp.flags import Parser
from litmlp.lock import InUseError, RunLock
from litmlp.ranges import check_ranges
from litmlp.signals import INTERRUPTION
from litmlp.studies.fits import Fit
from litmlp.studies.jobs import Jobs
from litmlp.studies.outcomes import outcome_of, table
from litmlp.studies.plots import drawn
from litmlp.studies.search_plan import Plan, plan_search, recommended
from litmlp.studies.sharing import add_jobs, jobs_at_once, share_threads
from litmlp.studies.values import read_seeds
from litmlp.training.quiet import silence_libraries

if TYPE_CHECKING:
    from litmlp.studies.history import Tried
    from litmlp.studies.trials import Trials

DEFAULT_TRIALS = 30


def main(argv: list[str]) -> None:
    """Run the command. The same command resumes where it was stopped.

    Raises:
        UsageError: if a flag is wrong, or contradicts the search of an earlier command.
        Failure: if a fit was killed, the storage can't be used, or a file can't be written.
    """
    silence_libraries()
    flags, others = read_flags(argv)
    require("search.py", "optuna", "vl_convert", of="requirements-search.txt")
    with Jobs() as jobs:
        threads = share_threads(flags, flags.trials or DEFAULT_TRIALS)
        plan = plan_search(flags.space, flags.name, others)
        folder = Path(flags.out) if flags.out is not None else plan.folder
        names = [f"{plan.name}-best.yaml", f"{plan.name}-search.svg", f"{plan.name}-search.png"]
        places = check_places(plan.task_folder, folder, names)
        INTERRUPTION.advice = "resume with the same command"
        from litmlp.studies.storage import database_errors  # noqa: PLC0415 (an extra)

        with database_errors(flags.storage):
            work(flags, plan, jobs, threads, places)


def work(flags: argparse.Namespace, plan: Plan, jobs: Jobs, threads: int, places: list[Path]) -> None:
    """Make the trials, check the best of them, and write what was found."""
    from litmlp.studies.search import Limits, Search  # noqa: PLC0415 (an extra)

    lock = RunLock(plan.folder)
    jobs.beat, INTERRUPTION.cleanup = lock.beat, lock.release
    with ExitStack() as at_end:
        at_end.callback(lock.release)
        if flags.storage is None:
            lock.acquire()
        trials = open_trials(flags, plan)
        at_end.callback(trials.close)
        at_once = jobs_at_once(flags, plan.command.settings)
        until = time.monotonic() + 60 * flags.minutes if flags.minutes else math.inf
        search = Search(trials, jobs, plan.others, plan.run_of, plan.score, threads)
        search.work(at_once, Limits(flags.trials, until))
        try:
            if not lock.is_held:
                lock.acquire()
        except InUseError as error:
            print(f"\n{error}, which writes what was found")
        else:
            conclude(plan, trials, flags.seeds, partial(make_fits, jobs=jobs, at_once=at_once, threads=threads), places)
    INTERRUPTION.cleanup = None


def conclude(
    plan: Plan, trials: "Trials", seeds: list[int] | None, make: Callable[[list[Fit]], object], places: list[Path]
) -> None:
    """Print the best trials, check them with other seeds, and write what was found.

    Args:
        plan: what was searched.
        trials: that were made.
        seeds: None for no check.
        make: makes the fits that aren't complete.
        places: of what is written.

    Raises:
        Failure: if there is nothing to show, or it can't be written.
    """
    from litmlp.studies.finals import finalists_of, plan_finals, winner  # noqa: PLC0415 (an extra)
    from litmlp.studies.history import best_first, complete_trials, table_of_best  # noqa: PLC0415

    tried = complete_trials(trials)
    if not any(math.isfinite(trial.score) for trial in tried):
        raise Failure("no trial came to an end without diverging: search longer, or another --space")
    print("\n".join(["", *table_of_best(tried, plan.score)]))
    best = best_first(tried)[0]
    if seeds is not None:
        finalists = finalists_of(tried, plan)
        fits = plan_finals(finalists, plan, seeds)
        print(f"\nThe best trials with the seeds {', '.join(map(str, seeds))}:", flush=True)
        make(fits)
        outcomes = [outcome_of(fit.run, fit.label, fit.command.settings.seed, fit.parameters) for fit in fits]
        print("\n".join(["", *table("settings", outcomes)]))
        best = winner(finalists, outcomes)
    write_all(plan, trials, tried, best, places)


def open_trials(flags: argparse.Namespace, plan: Plan) -> "Trials":
    """The trials in the storage that the flags name.

    Raises:
        UsageError: if there is a search of that name with other settings, or can't be such a storage.
        Failure: if the storage doesn't answer.
    """
    from litmlp.studies.storage import open_database, open_journal  # noqa: PLC0415 (an extra)
    from litmlp.studies.trials import Trials  # noqa: PLC0415

    storage = (
        open_database(flags.storage, flags.heartbeat) if flags.storage else open_journal(plan.folder / "journal.log")
    )
    name = f"{plan.command.task.task_name()}/{plan.name}"
    return Trials(storage, name, plan.asked, plan.space, plan.command.settings.seed, plan.epochs, recommended(plan))


def write_all(plan: Plan, trials: "Trials", tried: "list[Tried]", best: "Tried", places: list[Path]) -> None:
    """Write the best settings and the picture.

    Raises:
        Failure: if they can't be written.
    """
    from optuna.trial import TrialState  # noqa: PLC0415 (an extra)

    from litmlp.studies.finals import best_settings  # noqa: PLC0415
    from litmlp.studies.history import importances  # noqa: PLC0415
    from litmlp.studies.search_plots import search_spec  # noqa: PLC0415

    title = f"Task {plan.command.settings.task}, search {plan.name}"
    stopped = len(trials.of(TrialState.PRUNED))
    svg, png = drawn(search_spec(title, plan.score, tried, stopped, importances(trials), plan.space))
    print()
    for what, path, content in zip(
        ("best settings", "picture", "picture"),
        places,
        (best_settings(best, plan).encode(), svg.encode(), png),
        strict=True,
    ):
        write(what, path, content)


def read_flags(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """This command's own flags, and those that are fit.py's.

    Raises:
        UsageError: if a flag is out of its range.
    """
    parser = Parser(
        "search.py",
        "Find settings for a task that validate better than the recommended ones. All other flags are fit.py's. The"
        " same command resumes where it was stopped, and makes a search with more --trials longer.",
    )
    space = (
        "flags and what to try, as YAML: [low, high], [low, high, log], or a choice of values; by default the task's"
    )
    parser.add_argument("--space", help=f"{space}. E.g. '{{lr: [0.0001, 0.1, log], hidden: [[256], [512,256]]}}'")
    parser.add_argument("--trials", type=int, help=f"how many to make; {DEFAULT_TRIALS} by default, without --minutes")
    parser.add_argument("--minutes", type=float, help="how long trials are begun; those under way come to their end")
    parser.add_argument("--seeds", help="fits the best few trials once more with each of them, e.g. '[1,2,3]'")
    parser.add_argument("--name", help="names the search and its runs; the task by default")
    parser.add_argument("--out", metavar="FOLDER", help="where to write what was found; beside the runs by default")
    parser.add_argument("--storage", metavar="URL", help="a database for several machines, e.g. postgresql://host/name")
    seconds = "between a worker's signs of life in the database; after five without one, its trials go to others"
    parser.add_argument("--heartbeat", type=int, default=60, help=f"seconds {seconds}")
    add_jobs(parser)
    flags, others = parser.parse_known_args(argv)
    check_ranges({name: getattr(flags, name) for name in ("trials", "minutes", "heartbeat", "jobs")})
    if flags.trials is None and flags.minutes is None:
        flags.trials = DEFAULT_TRIALS
    flags.seeds = read_seeds(flags.seeds)
    return flags, others
