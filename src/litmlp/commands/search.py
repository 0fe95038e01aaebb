"""``litmlp search``: finds settings for a task that validate better than the recommended ones."""

import argparse
import json
import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from litmlp.commands.extras import require
from litmlp.commands.study import NEVER_VARIED, check_others, check_places, make_fits, write
from litmlp.errors import Failure, UsageError
from litmlp.flags import Parser
from litmlp.lock import RunLock
from litmlp.ranges import check_ranges
from litmlp.runs import Run
from litmlp.settings.build import make_task
from litmlp.settings.command_line import Command, read_command
from litmlp.signals import INTERRUPTION
from litmlp.studies.fits import WITHOUT_EFFECT, Fit, checked_parameters, plan_fit, run_of
from litmlp.studies.jobs import Jobs
from litmlp.studies.outcomes import by_label, outcome_of, table
from litmlp.studies.plots import drawn
from litmlp.studies.sharing import add_jobs, jobs_at_once, share_threads
from litmlp.studies.space import Space, extremes, flags_of, parse_space, read_space
from litmlp.studies.values import read_seeds
from litmlp.training.quiet import silence_libraries

if TYPE_CHECKING:
    from litmlp.studies.history import Tried
    from litmlp.studies.trials import Trials

FINALISTS = 3
DEFAULT_TRIALS = 30
NEVER_SEARCHED = (*NEVER_VARIED, "seed", "threads", "data_dir")


class Plan(NamedTuple):
    """What is searched.

    Attributes:
        name: of the search and its runs.
        command: the settings that all trials have in common.
        others: the flags that say them.
        space: that the other settings are drawn from.
        asked: both as plain values: all who work on a search have to ask for the same.
        epochs: that a fit has; -1 if they aren't known.
        score: the metric to maximise.
    """

    name: str
    command: Command
    others: list[str]
    space: Space
    asked: dict[str, Any]
    epochs: int
    score: str

    @property
    def task_folder(self) -> Path:
        """Where the runs are."""
        return self.command.logs / self.command.task.task_name()

    @property
    def folder(self) -> Path:
        """Where the search is."""
        return self.task_folder / f"{self.name}-search"

    def flags(self, settings: dict[str, Any]) -> list[str]:
        """The flags of a trial."""
        return [*self.others, *flags_of(settings)]

    def run_of(self, number: int) -> Run:
        """The run of a trial."""
        return run_of(self.command, self.name, f"{self.name}-trial-{number}")


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
        plan = plan_search(flags, others)
        folder = Path(flags.out) if flags.out is not None else plan.folder
        names = [f"{plan.name}-best.yaml", f"{plan.name}-search.svg", f"{plan.name}-search.png"]
        places = check_places(plan.task_folder, folder, names)
        INTERRUPTION.advice = "resume with the same command"
        from litmlp.studies.storage import database_errors  # noqa: PLC0415 (an extra)

        with database_errors(flags.storage):
            work(flags, plan, jobs, threads, places)


def work(flags: argparse.Namespace, plan: Plan, jobs: Jobs, threads: int, places: list[Path]) -> None:
    """Make the trials, check the best of them, and write what was found."""
    from litmlp.studies.history import best_first, complete_trials, table_of_best  # noqa: PLC0415 (an extra)
    from litmlp.studies.search import Limits, Search  # noqa: PLC0415

    with RunLock(plan.folder) if flags.storage is None else nullcontext(RunLock(plan.folder)) as lock:
        jobs.beat, INTERRUPTION.cleanup = lock.beat, lock.release
        trials = open_trials(flags, plan)
        at_once = jobs_at_once(flags, plan.command.settings)
        until = time.monotonic() + 60 * flags.minutes if flags.minutes else math.inf
        search = Search(trials, jobs, plan.others, plan.run_of, plan.score, threads)
        search.work(at_once, Limits(flags.trials, until))
        tried = complete_trials(trials)
        if not any(math.isfinite(trial.score) for trial in tried):
            raise Failure("no trial came to an end without diverging: search longer, or another --space")
        print("\n".join(["", *table_of_best(tried, plan.score)]))
        if not lock.is_held:
            lock.acquire()
        best = best_first(tried)[0]
        if flags.seeds is not None:
            finalists = finalists_of(tried, plan)
            best = check_finalists(
                finalists, plan, flags.seeds, partial(make_fits, jobs=jobs, at_once=at_once, threads=threads)
            )
        write_all(plan, trials, tried, best, places)
    INTERRUPTION.cleanup = None


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


def plan_search(flags: argparse.Namespace, others: list[str]) -> Plan:
    """What is searched, checked before the first trial starts.

    Raises:
        UsageError: if a flag or the space is wrong.
        Failure: if the data can't be had.
    """
    command = read_command(others)
    wanted = parse_space(flags.space, command)
    if flags.space is None:
        given = {other[2:].partition("=")[0].rstrip("+") for other in others if other.startswith("--")}
        wanted = {flag: values for flag, values in wanted.items() if flag not in given}
    for flag in wanted:
        if flag in NEVER_SEARCHED:
            raise UsageError(f"--space {flag}: this flag can't be searched")
    check_others(others, [*wanted], "search.py", "search")
    if command.settings.limit_val_batches == 0:
        raise UsageError("--limit_val_batches 0: a search needs validations; leave it out")
    space = read_space(wanted, command)
    name = flags.name or command.task.task_name()
    for settings in extremes(space):
        checked_parameters(read_command([*others, *flags_of(settings)]), "search")
    task = make_task(command)
    task.prepare_data()
    score = "r2" if task.spec.classes is None else "accuracy"
    common = {flag: value for flag, value in settings_of(command).items() if flag not in space}
    asked = json.loads(json.dumps({"space": wanted, **common}, default=str))
    epochs = -1 if "max_epochs" in space else command.settings.max_epochs
    plan = Plan(name, command, others, space, asked, epochs, score)
    plan.run_of(0)
    return plan


def settings_of(command: Command) -> dict[str, Any]:
    """The settings that decide what a run comes to, but for its last bits."""
    settings: dict[str, Any] = yaml.safe_load(command.text)
    return {flag: value for flag, value in settings.items() if flag not in WITHOUT_EFFECT}


def recommended(plan: Plan) -> dict[str, Any] | None:
    """The settings that a search begins with: those of a fit without the searched flags, if they are in the space."""
    settings = yaml.safe_load(plan.command.text)
    drawn = {flag: values.drawn(settings.get(flag)) for flag, values in plan.space.items()}
    return None if None in drawn.values() else drawn


def finalists_of(tried: "list[Tried]", plan: Plan) -> "list[Tried]":
    """The trials that are checked with other seeds: the best, and the first, which has the recommended settings."""
    from litmlp.studies.history import best_first  # noqa: PLC0415 (an extra)

    best = best_first(tried)[:FINALISTS]
    first = [trial for trial in tried if trial.number == 0 and trial not in best and recommended(plan) is not None]
    return best + first


def check_finalists(
    finalists: "list[Tried]", plan: Plan, seeds: list[int], make: Callable[[list[Fit]], object]
) -> "Tried":
    """Fit the best few with several seeds and print a table: the one that validates best, in the mean of the seeds.

    Raises:
        UsageError: if one of the runs is there already, with other settings.
        Failure: if a fit was killed.
    """
    fits: list[Fit] = []
    for trial in finalists:
        for seed in seeds:
            flags = [*plan.flags(trial.settings), f"--seed={seed}"]
            label = f"trial {trial.number}"
            fits.append(plan_fit(plan.name, label, label, read_command(flags), flags, WITHOUT_EFFECT))
    print(f"\nThe best trials with the seeds {', '.join(map(str, seeds))}:", flush=True)
    make(fits)
    outcomes = [outcome_of(fit.run, fit.label, fit.command.settings.seed, fit.parameters) for fit in fits]
    print("\n".join(["", *table("settings", outcomes)]))
    groups = zip(finalists, by_label(outcomes).values(), strict=True)
    means = {trial: fmean(fit.validation_score or math.nan for fit in group) for trial, group in groups}
    return max((trial for trial in means if not math.isnan(means[trial])), key=means.__getitem__, default=finalists[0])


def write_all(plan: Plan, trials: "Trials", tried: "list[Tried]", best: "Tried", places: list[Path]) -> None:
    """Write the best settings and the picture.

    Raises:
        Failure: if they can't be written.
    """
    from optuna.trial import TrialState  # noqa: PLC0415 (an extra)

    from litmlp.studies.history import importances  # noqa: PLC0415
    from litmlp.studies.search_plots import search_spec  # noqa: PLC0415

    title = f"Task {plan.command.settings.task}, search {plan.name}"
    stopped = len(trials.of(TrialState.PRUNED))
    svg, png = drawn(search_spec(title, plan.score, tried, stopped, importances(trials), plan.space))
    defaults = settings_of(read_command(["--task", plan.command.settings.task]))
    asked = settings_of(read_command(plan.flags(best.settings)))
    chosen = {flag: value for flag, value in asked.items() if flag == "task" or value != defaults.get(flag)}
    text = f"# Trial {best.number} of the search {plan.name}.\n{yaml.safe_dump(chosen, sort_keys=False)}"
    print()
    for what, path, content in zip(
        ("best settings", "picture", "picture"), places, (text.encode(), svg.encode(), png), strict=True
    ):
        write(what, path, content)


def read_flags(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """This command's own flags, and those that are fit.py's.

    Raises:
        UsageError: if a flag is out of its range.
    """
    parser = Parser(
        "search.py",
        "Find settings for a task that validate better than the recommended ones. All other flags are fit.py's. The same"
        " command resumes where it was stopped, and makes a search with more --trials longer.",
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
