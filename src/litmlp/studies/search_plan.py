"""What a search searches, checked before its first trial starts."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from litmlp.errors import UsageError
from litmlp.runs import Run
from litmlp.settings.build import make_task
from litmlp.settings.command_line import Command, read_command
from litmlp.studies.fits import NEVER_VARIED, WITHOUT_EFFECT, check_others, checked_parameters, run_of
from litmlp.studies.space import Space, extremes, flags_of, parse_space, read_space

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


def plan_search(space_text: str | None, name: str | None, others: list[str]) -> Plan:
    """What is searched.

    Args:
        space_text: what ``--space`` says.
        name: of the search; None for the task's.
        others: the flags of every trial.

    Raises:
        UsageError: if a flag or the space is wrong.
        Failure: if the data can't be had.
    """
    command = read_command(others)
    wanted = parse_space(space_text, command)
    if space_text is None:
        given = {other[2:].partition("=")[0].rstrip("+") for other in others if other.startswith("--")}
        wanted = {flag: values for flag, values in wanted.items() if flag not in given}
    for flag in wanted:
        if flag in NEVER_SEARCHED:
            raise UsageError(f"--space {flag}: this flag can't be searched")
    check_others(others, [*wanted], "search.py", "search")
    if command.settings.limit_val_batches == 0:
        raise UsageError("--limit_val_batches 0: a search needs validations; leave it out")
    space = read_space(wanted, command)
    name = name or command.task.task_name()
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
