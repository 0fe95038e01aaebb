"""Rounds of a search: its command, the process that starts its fits, or a fit is killed, and the command started again.

On a journal one command works on the search, one trial at a time: it has to end as the undisturbed one. On PostgreSQL
two work on it, and what they draw depends on which is faster: so each run is compared with a fit of its settings.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from litmlp.runs import Run
from litmlp.studies.storage import open_journal
from litmlp.studies.workers import DONE, SURPLUS, number_of
from tests.faults.compare import compare, differences, load
from tests.faults.repeat import repeat
from tests.faults.scenarios import ROOT
from tests.faults.workers import Worker, draw_victim

ON_JOURNAL, ON_POSTGRESQL = "search-journal", "search-postgresql"
TRIALS = 12
SPACE = "{lr: [1e-3, 1.0, log], dropout: [0, 0.9]}"  # some of these trials are stopped
COMMAND = [sys.executable, str(ROOT / "scripts" / "search.py"), "--task", "xor", "--accelerator", "cpu"]
COMMAND += ["--max_epochs", "6", "--batch_size", "64", "--space", SPACE, "--trials", str(TRIALS), "--jobs", "1"]
ON_DATABASE = ["--heartbeat", "1", "--storage"]
RUNS = Path("lightning_logs", "xor")


def search_undisturbed(cwd: Path) -> float:
    """Make the search that others are compared with: the seconds that it takes.

    Raises:
        SystemExit: if it fails.
    """
    start = time.monotonic()
    worker = Worker(COMMAND, cwd, "undisturbed")
    complaint = worker.complaint_at_end(None)
    if complaint:
        sys.exit(f"search, undisturbed: {complaint}")
    return time.monotonic() - start


def search_on_journal(cwd: Path, reference: Path, random: Random, lifetime: float) -> tuple[list[str], list[str]]:
    """Kill a search on a journal one to three times, and let it end: the kills, and what was wrong."""
    told, wrong = disturb([Worker(COMMAND, cwd, "0")], random, lifetime)
    found, expected = (trials_in_journal(folder) for folder in (cwd, reference))
    wrong += compare("trials", *([described(trial) for trial in trials] for trials in (found, expected)))
    if not wrong:
        for trial in expected:
            wrong += differences_of_trial(trial, run_of(cwd, trial), run_of(reference, trial))
    return told, wrong


def search_on_database(cwd: Path, url: str, random: Random, lifetime: float) -> tuple[list[str], list[str]]:
    """Kill workers on a database one to three times, and let all end: the kills, and what was wrong."""
    workers = [Worker([*COMMAND, *ON_DATABASE, url], cwd, str(number)) for number in range(2)]
    told, wrong = disturb(workers, random, lifetime)
    trials = trials_in_database(url)
    done = sorted((trial for trial in trials if trial.state in DONE), key=number_of)
    made = [number_of(trial) for trial in done]
    begun = {number_of(trial) for trial in trials if SURPLUS not in trial.user_attrs}
    wrong += compare("numbers", made, sorted(begun))
    wrong += compare("number of trials", len(made), TRIALS)
    wrong += compare("states", {trial.state.name for trial in trials} - {"COMPLETE", "PRUNED", "FAIL"}, set())
    if not wrong:
        again = repeat(cwd / RUNS, [(run_of(cwd, trial).folder.name, stopped_at(trial)) for trial in done])
        for trial, run in zip(done, again, strict=True):
            wrong += differences_of_trial(trial, run_of(cwd, trial), run)
    return told, wrong


def disturb(workers: list[Worker], random: Random, lifetime: float) -> tuple[list[str], list[str]]:
    """Kill drawn processes at drawn moments, start what they belonged to again, and wait for the end of all."""
    told: list[str] = []
    wrong: list[str] = []
    for _ in range(random.randint(1, 3)):
        index = random.randrange(len(workers))
        worker = workers[index]
        victim = draw_victim(random, lifetime)
        if not worker.strike(victim):
            continue
        told.append(f"{victim.told} of worker {index}")
        complaint = worker.complaint_at_end(victim)
        wrong += [f"{told[-1]}: {complaint}"] if complaint else []
        workers[index] = worker.again()
    for worker in workers:
        complaint = worker.complaint_at_end(None)
        wrong += [f"at the end: {complaint}"] if complaint else []
    return told, wrong


def trials_in_journal(cwd: Path) -> Sequence[FrozenTrial]:
    """The trials that a journal knows of."""
    return optuna.load_study(study_name="xor/xor", storage=open_journal(cwd / RUNS / "xor-search/journal.log")).trials


def trials_in_database(url: str) -> Sequence[FrozenTrial]:
    """The trials that a database knows of."""
    storage = RDBStorage(url)
    trials = optuna.load_study(study_name="xor/xor", storage=storage).trials
    storage.engine.dispose()
    return trials


def described(trial: FrozenTrial) -> list[Any]:
    """What has to be the same in two trials."""
    return [trial.number, trial.state.name, trial.params, trial.values, trial.intermediate_values]


def run_of(cwd: Path, trial: FrozenTrial) -> Run:
    """The run of a trial."""
    return Run(cwd / RUNS / f"xor-trial-{number_of(trial)}")


def stopped_at(trial: FrozenTrial) -> int | None:
    """The epoch that a trial was stopped at; None if it wasn't."""
    return trial.last_step if trial.state == TrialState.PRUNED else None


def differences_of_trial(trial: FrozenTrial, run: Run, reference: Run) -> list[str]:
    """In what a trial's run differs from another; of one that was stopped, the checkpoint counts."""
    if trial.state == TrialState.COMPLETE:
        return [f"{run.folder.name}: {line}" for line in differences(run.folder, reference.folder)]
    return [*compare(run.folder.name, load(run.last), load(reference.last))]
