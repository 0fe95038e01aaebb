"""Works on a search's trials: each is an ordinary fit, stopped where it can't win, left to others where we must go."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from litmlp.runs import Run
from litmlp.signals import INTERRUPTION
from litmlp.studies.fits import flags_of_run
from litmlp.studies.job import Job
from litmlp.studies.jobs import Jobs
from litmlp.studies.outcomes import SCORES, outcome_of
from litmlp.studies.space import flags_of
from litmlp.studies.trials import Trial, Trials
from litmlp.studies.values import as_text
from litmlp.training.checkpoint_io import newest_resume_point

LOOK_EVERY = 0.5  # seconds, for signals, heartbeats, and trials that others leave
STOPPED = 143  # the exit code of a fit that was asked to stop, as by SIGTERM


class Limits(NamedTuple):
    """When a search has tried enough.

    Attributes:
        trials: how many, over all workers; None for any number.
        until: when this worker begins no more trials, on the monotonic clock.
    """

    trials: int | None
    until: float


class Search:
    """One worker's part of a search.

    Args:
        trials: of the search.
        jobs: makes fits.
        others: the flags of every trial.
        run_of: the run of a trial, by its number.
        score: the metric to maximise: accuracy or r2.
        threads: of each fit.
    """

    def __init__(
        self, trials: Trials, jobs: Jobs, others: list[str], run_of: Callable[[int], Run], score: str, threads: int
    ) -> None:
        self.trials = trials
        self.jobs = jobs
        self.others = others
        self.run_of = run_of
        self.score = score
        self.threads = threads
        self.under_way: dict[Job, Trial] = {}
        self.stopped: set[Job] = set()

    def work(self, at_once: int, limits: Limits) -> None:
        """Make trials until there are enough, of others', too.

        Raises:
            Failure: if a fit was killed.
            SystemExit: if a fit failed, with its exit code.
        """
        INTERRUPTION.deferred = True
        try:
            while self.begin_some(at_once, limits) or self.under_way or self.others_work(limits):
                for job in self.jobs.wait(LOOK_EVERY):
                    self.attend_to(job)
                self.jobs.beat()
                self.trials.beat([*self.under_way.values()])
                if INTERRUPTION.signum:
                    self.jobs.stop(INTERRUPTION.signum)
                    break
        finally:
            for trial in self.under_way.values():
                self.trials.give_back(trial.handle._trial_id)
            INTERRUPTION.deferred = False
        if INTERRUPTION.signum:
            INTERRUPTION.before_leaving = None
            INTERRUPTION.leave(INTERRUPTION.signum)

    def others_work(self, limits: Limits) -> bool:
        """Whether to wait for other workers, as their trials might become ours."""
        return time.monotonic() < limits.until and bool(self.trials.of(TrialState.RUNNING, TrialState.WAITING))

    def begin_some(self, at_once: int, limits: Limits) -> bool:
        """Begin trials while there are fewer than ``at_once`` under way: whether one was begun."""
        begun = False
        while len(self.under_way) < at_once and time.monotonic() < limits.until and not INTERRUPTION.signum:
            trial = self.trials.next(limits.trials)
            if trial is None:
                break
            begun = True
            self.begin(trial)
        return begun

    def begin(self, trial: Trial) -> None:
        """Start a trial's fit; one that a dead worker had stopped already stays so."""
        run = self.run_of(trial.number)
        epoch = self.trials.was_stopped_at(trial)
        if epoch is not None and epochs_in(run) >= epoch:
            self.trials.stop(trial)
            return
        flags = [*self.others, *flags_of(trial.settings), *flags_of_run(run.folder.name)]
        self.under_way[self.jobs.start(flags, self.threads, reports=True)] = trial

    def attend_to(self, job: Job) -> None:
        """Answer a fit's report, or keep what it came to."""
        trial, report = self.under_way[job], job.report
        if job.code is not None:
            del self.under_way[job]
            self.end(job, trial)
        elif report is not None:
            try:
                may_continue = self.trials.report(trial, report["epoch"], report[f"val/{self.score}"])
            except UpdateFinishedTrialError:  # another worker has it, as this one seemed to be dead
                may_continue = False
            if not may_continue:
                self.stopped.add(job)
            job.answer(may_continue)

    def end(self, job: Job, trial: Trial) -> None:
        """Keep what a trial came to, and print it."""
        was_stopped = job in self.stopped and job.code == STOPPED
        job.end(was_stopped)
        self.stopped.discard(job)
        called = f"trial {trial.number}: {in_words(trial.settings)}"
        try:
            if was_stopped:
                epoch = self.trials.stop(trial)
                print(f"{called}: stopped at epoch {epoch}", flush=True)
            else:
                outcome = outcome_of(self.run_of(trial.number), "", 0, 0)
                score = outcome.validation_score
                assert score is not None
                self.trials.finish(trial, score, {"test": outcome.test[self.score], "seconds": outcome.seconds})
                print(f"{called}: {shown(self.score, score)}, {outcome.seconds:.1f} s", flush=True)
        except UpdateFinishedTrialError:
            print(f"{called}: another worker has taken it over", flush=True)


def epochs_in(run: Run) -> int:
    """How many epochs the newest resume point of a run has made."""
    content = newest_resume_point(run)[1]
    return int(content["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]) if content else 0


def in_words(settings: dict[str, Any]) -> str:
    """Settings in a line."""
    return ", ".join(f"{flag}={as_text(value)}" for flag, value in settings.items())


def shown(score: str, value: float) -> str:
    """A validation score with its name and unit."""
    name, factor, decimals = SCORES[score]
    return f"validation {name} {factor * value:.{decimals}f}"
