"""The fits of a comparison, each checked before the first one starts."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import yaml

from litmlp.errors import UsageError, about
from litmlp.runs import Run
from litmlp.settings.build import make_outline, make_task
from litmlp.settings.command_line import MAY_CHANGE, Command, first_pass, named_run, read_command
from litmlp.studies.values import as_text, in_run_name
from litmlp.training.resume import ResumePoints
from litmlp.training.torchrun import under_torchrun
from litmlp.training.trainer import make_trainer

# On what a run comes to, but for its last bits.
WITHOUT_EFFECT = {*MAY_CHANGE, "default_root_dir", "enable_progress_bar", "threads"}
NEVER_VARIED = ("task", "config", "print_config", "help", "run", "resume", "default_root_dir")


class Fit(NamedTuple):
    """One fit of a comparison.

    Attributes:
        comparison: its name.
        label: what its settings are called, in a table and a picture.
        title: what they are called alone.
        command: the settings of the fit.
        run: its folder.
        flags: with which fit.py makes it.
        parameters: of its model.
    """

    comparison: str
    label: str
    title: str
    command: Command
    run: Run
    flags: list[str]
    parameters: int


def plan(flag: str, values: dict[str, Any], seeds: list[int] | None, name: str | None, others: list[str]) -> list[Fit]:
    """The fits of every value with every seed.

    Args:
        flag: the flag that is varied.
        values: its values by their labels.
        seeds: None for that of the settings.
        name: the comparison's; None for one that is made of the task (two tasks can't have runs of one name) and
            the flag.
        others: all other flags of fit.py.

    Raises:
        UsageError: if a flag is wrong, two values are the same, or a run was made with other settings.
    """
    fits: list[Fit] = []
    labels: dict[str, str] = {}  # by settings
    for label, value in values.items():
        for seed in [[]] if seeds is None else [[f"--seed={seed}"] for seed in seeds]:
            flags = [*others, *seed, f"--{flag}={as_text(value)}"]
            command = read_command(flags)
            same = labels.setdefault(command.text, label)
            if same != label:
                raise UsageError(f"--vary {flag}: {same} and {label} are the same value")
            comparison = name or f"{command.task.task_name()}-{flag}"
            fits.append(plan_fit(comparison, label, f"{flag}={label}", command, flags, WITHOUT_EFFECT - {flag}))
    return fits


def plan_fit(
    comparison: str, label: str, title: str, command: Command, flags: list[str], without_effect: set[str]
) -> Fit:
    """The fit of one value with one seed, checked.

    Args:
        comparison: its name.
        label: what the value is called.
        title: what it is called alone.
        command: the settings, as ``flags`` say them.
        flags: of fit.py, without those of the run.
        without_effect: settings in which a run that is there may differ.

    Raises:
        UsageError: if a flag is wrong, or the run was made with other settings.
    """
    parameters = checked_parameters(command)
    run = run_of(command, comparison, f"{comparison}-{in_run_name(label)}-seed{command.settings.seed}")
    check_stored(run, yaml.safe_load(command.text), without_effect)
    return Fit(comparison, label, title, command, run, [*flags, *flags_of_run(run.folder.name)], parameters)


def flags_of_run(name: str) -> list[str]:
    """The flags that name a fit's run, and have it print lines instead of a bar, on a terminal too."""
    return [f"--run={name}", "--enable_progress_bar=false"]


def checked_parameters(command: Command, study: str = "comparison") -> int:
    """The number of the model's parameters, once the constructors have checked the settings.

    Args:
        command: the settings.
        study: what the fit is a part of.

    Raises:
        UsageError: if a flag is out of its range, or leaves no curves to compare.
    """
    settings = command.settings
    if settings.logger not in (None, True) or settings.fast_dev_run:
        flag = "fast_dev_run" if settings.fast_dev_run else "logger"
        raise UsageError(f"--{flag}: a {study} is drawn from the runs' own curves; leave it out")
    task = make_task(command)
    task.prepare_data()
    model = make_outline(command, task)
    make_trainer(settings, command.logs, ResumePoints())
    return sum(parameter.numel() for parameter in model.parameters())


def run_of(command: Command, comparison: str, name: str) -> Run:
    """The run of a fit, which may not exist yet.

    Raises:
        UsageError: if the comparison's name can't name runs, or names those of another task.
    """
    task = command.settings.task
    with about("--name"):
        Run.named(command.logs, command.task.task_name(), comparison)
    try:
        run = named_run(name, None, task, command.logs)
    except UsageError:
        raise UsageError(f"--name {comparison}: another task has a run {name}; choose another --name") from None
    assert run is not None
    return run


def check_stored(run: Run, asked: dict[str, Any], without_effect: set[str]) -> None:
    """Raise a UsageError if the run is there already, but was made with other settings than those asked for.

    So nothing is shown that isn't of the command line: fit.py takes what the command line leaves out from the
    run, and lets limits change.
    """
    stored = run.read_config()
    if stored is None:
        return
    for name in sorted({*asked, *stored} - without_effect):
        if asked.get(name) != stored.get(name):
            raise UsageError(
                f"--{name} {as_text(asked.get(name))} contradicts the run {run.folder}, made with"
                f" --{name} {as_text(stored.get(name))}: choose another --name"
            )


def check_others(others: Sequence[str], given: Sequence[str], program: str, study: str) -> None:
    """Check the flags that go to fit.py.

    Args:
        others: they.
        given: the names of the flags that the command itself gives their values.
        program: the command's name.
        study: what it makes.

    Raises:
        UsageError: if one is the command's own.
    """
    for index, flag in enumerate(given):
        if flag in given[:index] or any(other.partition("=")[0].rstrip("+") == f"--{flag}" for other in others):
            raise UsageError(f"--{flag}: the {study} itself gives it its values; leave it out")
    first = first_pass([*others])
    if first.run is not None or first.resume is not None:
        raise UsageError(f"--run and --resume: a {study} names its runs itself; use --name")
    if under_torchrun():
        raise UsageError(f"{program} starts its fits itself: start it without torchrun, with --devices")
