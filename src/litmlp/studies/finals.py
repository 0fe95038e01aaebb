"""The last part of a search: its best trials again, with other seeds, and the settings that win."""

import math
from collections.abc import Sequence
from statistics import fmean

import yaml

from litmlp.settings.command_line import read_command
from litmlp.studies.fits import WITHOUT_EFFECT, Fit, plan_fit
from litmlp.studies.history import Tried, best_first
from litmlp.studies.outcomes import Outcome, by_label
from litmlp.studies.search_plan import Plan, recommended, settings_of

FINALISTS = 3


def finalists_of(tried: Sequence[Tried], plan: Plan) -> list[Tried]:
    """The trials that are checked with other seeds: the best, and the first, if it has the recommended settings."""
    best = best_first(tried)[:FINALISTS]
    first = [trial for trial in tried if trial.number == 0 and trial not in best and recommended(plan) is not None]
    return best + first


def plan_finals(finalists: Sequence[Tried], plan: Plan, seeds: list[int]) -> list[Fit]:
    """The fits of every finalist with every seed.

    Raises:
        UsageError: if one of the runs is there already, with other settings.
    """
    fits: list[Fit] = []
    for trial in finalists:
        label = f"trial {trial.number}"
        for seed in seeds:
            flags = [*plan.flags(trial.settings), f"--seed={seed}"]
            fits.append(plan_fit(plan.name, label, label, read_command(flags), flags, WITHOUT_EFFECT))
    return fits


def winner(finalists: Sequence[Tried], outcomes: Sequence[Outcome]) -> Tried:
    """The finalist that validates best in the mean of its seeds."""
    means = {
        label: fmean(fit.validation_score or math.nan for fit in fits) for label, fits in by_label(outcomes).items()
    }
    return max(finalists, key=lambda trial: -math.inf if math.isnan(mean := means[f"trial {trial.number}"]) else mean)


def best_settings(best: Tried, plan: Plan) -> str:
    """The settings of a trial, as far as they aren't the task's own, as YAML for ``--config``."""
    defaults = settings_of(read_command(["--task", plan.command.settings.task]))
    settings = settings_of(read_command(plan.flags(best.settings)))
    chosen = {flag: value for flag, value in settings.items() if flag == "task" or value != defaults.get(flag)}
    return f"# Trial {best.number} of the search {plan.name}.\n{yaml.safe_dump(chosen, sort_keys=False)}"
