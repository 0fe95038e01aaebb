"""Workers on one database: each gives signs of life for its trials, and the others take over those of a dead one."""

import time
import warnings
from collections.abc import Sequence

import optuna
from optuna.storages import RDBStorage, fail_stale_trials
from optuna.trial import FrozenTrial, TrialState

DONE = (TrialState.COMPLETE, TrialState.PRUNED)
COUNTED = (*DONE, TrialState.RUNNING, TrialState.WAITING)
SURPLUS = "litmlp_surplus"  # an attribute of trials that shall not be made


class Workers:
    """What a worker knows of the others.

    Args:
        study: that all work on.
        storage: of the study, with heartbeats.
    """

    def __init__(self, study: optuna.Study, storage: RDBStorage) -> None:
        self.study, self.storage = study, storage
        self.beaten, self.seen = time.monotonic(), set[int]()

    def take_over(self) -> None:
        """Put the trials of dead workers among those that wait.

        A worker that died before its first heartbeat can't be missed by Optuna: so everybody sends one for each trial
        that they see for the first time. Those that wait get one, too, lest the one of its last worker count. And
        Optuna lets a trial fail before it adds one in its place: whoever is killed in between leaves that to others.
        """
        for trial in self.of(TrialState.RUNNING, TrialState.WAITING):
            if trial.state == TrialState.WAITING or trial._trial_id not in self.seen:
                self.storage.record_heartbeat(trial._trial_id)
                self.seen.add(trial._trial_id)
        replace = self.storage.get_heartbeat_stale_trial_callback()
        assert replace is not None
        with warnings.catch_warnings(action="ignore"):
            fail_stale_trials(self.study)
            present = {number_of(trial) for trial in self.of(*COUNTED)}
            for trial in self.study.get_trials(states=(TrialState.FAIL,)):  # copies: it adds to their histories
                if SURPLUS not in trial.user_attrs and number_of(trial) not in present:
                    replace(self.study, trial)

    def beat(self, trial_ids: Sequence[int]) -> None:
        """Send a sign of life for these trials, if it is time."""
        if time.monotonic() - self.beaten < (self.storage.heartbeat_interval or 0):
            return
        self.beaten = time.monotonic()
        for trial_id in trial_ids:
            self.storage.record_heartbeat(trial_id)

    def refuse(self, handle: optuna.Trial, most: int | None) -> bool:
        """Leave a trial if another worker was faster, with the last ones or in taking this one over: whether it was."""
        self.storage.record_heartbeat(handle._trial_id)
        trial = self.storage.get_trial(handle._trial_id)
        number = number_of(trial)
        twins = [other for other in self.of(*COUNTED) if number_of(other) == number and other.number < trial.number]
        before = sum(other < number for other in numbers(self.study))
        if not twins and (most is None or before < most):
            return False
        handle.set_user_attr(SURPLUS, True)
        self.study.tell(handle, state=TrialState.FAIL)
        return True

    def of(self, *states: TrialState) -> list[FrozenTrial]:
        """The trials in these states."""
        return self.study.get_trials(deepcopy=False, states=states)


def numbers(study: optuna.Study) -> set[int]:
    """The numbers of a study's trials, also of one that is just passing from a dead worker to another."""
    return {number_of(trial) for trial in study.get_trials(deepcopy=False) if SURPLUS not in trial.user_attrs}


def number_of(trial: FrozenTrial) -> int:
    """The number that names a trial's run: its own, or that of the one that it takes over."""
    return int(trial.system_attrs.get("failed_trial", trial.number))  # set by Optuna's RetryHeartbeatStaleTrialCallback
