"""The trials of a search: which is next, what they reported and came to. They survive whoever works on them."""

import math
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial, TrialState

from litmlp.errors import UsageError
from litmlp.studies.sampler import SeededTPE, make_pruner
from litmlp.studies.space import Space
from litmlp.studies.values import as_text
from litmlp.studies.workers import Workers, number_of, numbers

ASKED, OUTCOME = "litmlp_asked", "litmlp_outcome"  # the attributes of a study and of a trial

optuna.logging.set_verbosity(optuna.logging.ERROR)


class Trial(NamedTuple):
    """One trial under way.

    Attributes:
        number: names its run. A trial that was taken over from a dead worker keeps it.
        settings: that were drawn.
        handle: Optuna's.
    """

    number: int
    settings: dict[str, Any]
    handle: optuna.Trial


class Trials:
    """The trials of one search, in a storage that other workers may share.

    Args:
        storage: where they are kept.
        name: of the search.
        asked: settings and space as plain values: all who work on a search have to ask for the same.
        space: that settings are drawn from.
        seed: of the draws.
        epochs: that a fit has; at most 0 if that isn't known.
        recommended: settings to begin with; None where they aren't in the space.

    Raises:
        UsageError: if there is a search of that name with other settings.
    """

    def __init__(
        self,
        storage: BaseStorage,
        name: str,
        asked: dict[str, Any],
        space: Space,
        seed: int,
        epochs: int,
        recommended: dict[str, Any] | None,
    ) -> None:
        self.storage, self.space, self.epochs = storage, space, epochs
        self.study = optuna.create_study(
            storage=storage,
            study_name=name,
            direction="maximize",
            load_if_exists=True,
            sampler=SeededTPE(seed),
            pruner=make_pruner(epochs),
        )
        self.distributions = {flag: values.distribution() for flag, values in space.items()}
        self.workers = Workers(self.study, storage) if isinstance(storage, RDBStorage) else None
        stored = self.study.user_attrs.get(ASKED)
        if stored is not None:
            check_same(asked, stored, name)
        elif recommended is not None:
            self.study.enqueue_trial(recommended, skip_if_exists=True)
        self.study.set_user_attr(ASKED, asked)
        if self.workers is None:
            for trial in self.of(TrialState.RUNNING):  # of a process that is no more
                self.give_back(trial._trial_id)

    def close(self) -> None:
        """Close the connections to a database."""
        if self.workers is not None:
            self.workers.storage.engine.dispose()

    def of(self, *states: TrialState) -> list[FrozenTrial]:
        """The trials in these states."""
        return self.study.get_trials(deepcopy=False, states=states)

    def next(self, most: int | None) -> Trial | None:
        """A trial to work on: one that somebody left, or a new one; None if there are enough, or for now.

        Args:
            most: how many there shall be; None for any number.
        """
        if self.workers is not None:
            self.workers.take_over()
        if not self.of(TrialState.WAITING) and most is not None and len(numbers(self.study)) >= most:
            return None
        with warnings.catch_warnings(action="ignore"):  # Optuna's, that it can't send heartbeats: we do
            handle = self.study.ask(self.distributions)
        if self.workers is not None and self.workers.refuse(handle, most):
            return None
        settings = {flag: self.space[flag].value(drawn) for flag, drawn in handle.params.items()}
        return Trial(number_of(self.storage.get_trial(handle._trial_id)), settings, handle)

    def known(self, trial: Trial) -> FrozenTrial:
        """What the storage knows of a trial."""
        return self.storage.get_trial(trial.handle._trial_id)

    def beat(self, trials: list[Trial]) -> None:
        """Send a sign of life for these trials, if it is time."""
        if self.workers is not None:
            self.workers.beat([trial.handle._trial_id for trial in trials])

    def report(self, trial: Trial, epoch: int, score: float) -> bool:
        """Keep the score of an epoch: whether the trial shall continue. In its last epoch it may.

        Reported again after a resume, it isn't kept twice.
        """
        if epoch not in self.known(trial).intermediate_values:
            trial.handle.report(score, epoch)
        return epoch == self.epochs or not trial.handle.should_prune()

    def was_stopped_at(self, trial: Trial) -> int | None:
        """The epoch at which a trial was stopped whose worker died before it could say so."""
        epoch = self.known(trial).last_step
        return epoch if epoch not in (None, self.epochs) and trial.handle.should_prune() else None

    def finish(self, trial: Trial, score: float, outcome: dict[str, Any]) -> None:
        """Keep what a trial came to; one that diverged is as bad as can be."""
        trial.handle.set_user_attr(OUTCOME, outcome)
        self.study.tell(trial.handle, -math.inf if math.isnan(score) else score)

    def stop(self, trial: Trial) -> int:
        """Keep that a trial was stopped: at which epoch."""
        return self.study.tell(trial.handle, state=TrialState.PRUNED).last_step or 0

    def give_back(self, trial_id: int) -> None:
        """Leave a trial for whoever takes it next."""
        try:
            self.storage.set_trial_state_values(trial_id, TrialState.WAITING)
        except UpdateFinishedTrialError:
            return


def check_same(asked: Mapping[str, Any], stored: Mapping[str, Any], name: str) -> None:
    """Raise a UsageError if a search is there already, but with other settings or another space."""
    for flag in sorted({*asked, *stored}):
        if asked.get(flag) != stored.get(flag):
            raise UsageError(
                f"--{flag} {as_text(asked.get(flag))} contradicts the search {name}, begun with"
                f" --{flag} {as_text(stored.get(flag))}: choose another --name"
            )
