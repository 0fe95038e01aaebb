"""What a search found: its trials as plain values, a table of the best, and which flags mattered."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import TrialState

from litmlp.studies.outcomes import SCORES, markdown
from litmlp.studies.trials import OUTCOME, Trials
from litmlp.studies.values import as_text
from litmlp.studies.workers import number_of

BEST = 5  # trials in the table


class Tried(NamedTuple):
    """A complete trial.

    Attributes:
        number: names its run.
        settings: that were drawn.
        score: on the validation set, of the checkpoint that was tested; minus infinity if it diverged.
        test: the score on the test set, which nothing was chosen by.
        training: seconds of training.
        ended: seconds after the beginning of the search.
    """

    number: int
    settings: dict[str, Any]
    score: float
    test: float
    training: float
    ended: float


def complete_trials(trials: Trials) -> list[Tried]:
    """The complete trials, in the order in which they ended."""
    complete = trials.of(TrialState.COMPLETE)
    begun = min((trial.datetime_start for trial in complete if trial.datetime_start), default=None)
    tried: list[Tried] = []
    for trial in complete:
        outcome = trial.user_attrs[OUTCOME]
        settings = {flag: trials.space[flag].value(drawn) for flag, drawn in trial.params.items()}
        assert begun is not None
        assert trial.datetime_complete is not None
        assert trial.value is not None
        ended = (trial.datetime_complete - begun).total_seconds()
        tried.append(Tried(number_of(trial), settings, trial.value, outcome["test"], outcome["seconds"], ended))
    return sorted(tried, key=lambda trial: trial.ended)


def best_first(tried: Sequence[Tried]) -> list[Tried]:
    """The trials from the best to the worst; of equals the first."""
    return sorted(tried, key=lambda trial: (-trial.score, trial.number))


def table_of_best(tried: Sequence[Tried], score: str) -> list[str]:
    """The lines of a Markdown table of the best trials."""
    name, factor, decimals = SCORES[score]
    best = best_first(tried)[:BEST]
    head = ["trial", f"validation {name}", *best[0].settings, "training (s)"]
    rows = [
        [
            str(trial.number),
            f"{factor * trial.score:.{decimals}f}",
            *map(as_text, trial.settings.values()),
            f"{trial.training:.1f}",
        ]
        for trial in best
    ]
    return markdown([head, *([cell.replace("|", r"\|") for cell in row] for row in rows)])


def importances(trials: Trials) -> dict[str, float]:
    """The share of each flag in what the complete trials differ by; empty where there are too few of them.

    By PED-ANOVA (Watanabe, Bansal and Hutter, 2023): how much the best tenth's values of a flag differ from all.
    """
    finite = [trial for trial in trials.of(TrialState.COMPLETE) if math.isfinite(trial.value or math.inf)]
    if len(finite) < 2 or len({trial.value for trial in finite}) < 2:
        return {}
    study = optuna.create_study(direction="maximize")
    study.add_trials(finite)
    shares = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    return {flag: share for flag, share in shares.items() if math.isfinite(share)}
