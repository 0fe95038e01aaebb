"""The fits of a comparison, each checked before the first one starts."""

import json
import re
from typing import Any, NamedTuple

import torch
import yaml

from litmlp.errors import UsageError, about
from litmlp.runs import Run
from litmlp.settings.build import make_task
from litmlp.settings.command_line import MAY_CHANGE, Command, named_run, read_command
from litmlp.training.mlp import MLP
from litmlp.training.resume import ResumePoints
from litmlp.training.trainer import make_trainer

# On what a run comes to, but for its last bits.
WITHOUT_EFFECT = {*MAY_CHANGE, "default_root_dir", "enable_progress_bar", "threads"}
LONGEST_LABEL = 80


class Fit(NamedTuple):
    """One fit of a comparison.

    Attributes:
        comparison: its name.
        label: what the varied flag's value is called.
        command: the settings of the fit.
        run: its folder.
        flags: with which fit.py makes it.
        parameters: of its model.
    """

    comparison: str
    label: str
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
            parameters = checked_parameters(command)
            comparison = name or f"{command.task.task_name()}-{flag}"
            run = run_of(command, comparison, f"{comparison}-{in_run_name(label)}-seed{command.settings.seed}")
            check_stored(run, yaml.safe_load(command.text), WITHOUT_EFFECT - {flag})
            flags += [f"--run={run.folder.name}", "--enable_progress_bar=false"]  # lines instead, on a terminal too
            fits.append(Fit(comparison, label, command, run, flags, parameters))
    return fits


def checked_parameters(command: Command) -> int:
    """The number of the model's parameters, once the constructors have checked the settings.

    Raises:
        UsageError: if a flag is out of its range, or leaves no curves to compare.
    """
    settings = command.settings
    if settings.logger not in (None, True) or settings.fast_dev_run:
        flag = "fast_dev_run" if settings.fast_dev_run else "logger"
        raise UsageError(f"--{flag}: a comparison is drawn from the runs' own curves; leave it out")
    task = make_task(command)
    task.prepare_data()
    spec = task.spec
    with torch.device("meta"):  # without memory
        model = MLP(spec, **command.arguments(MLP))
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


def read_values(flag: str, text: str) -> dict[str, Any]:
    """The values of the varied flag by their labels, from a YAML list of values or mapping of labels to values.

    Raises:
        UsageError: if there are none, or their labels can't name runs.
    """
    values = from_yaml(f"--vary {flag}", text)
    if not isinstance(values, list | dict) or not values:
        raise UsageError(f"--vary {flag} {text}: must be a list like '[0.1, 0.01]', or a mapping of labels to values")
    pairs = values.items() if isinstance(values, dict) else [(value, value) for value in values]
    labelled: dict[str, Any] = {}
    names: set[str] = set()
    for key, value in pairs:
        label = " ".join(as_text(key).split())
        if label in labelled:
            raise UsageError(f"--vary {flag}: {label} is there twice")
        if len(label) > LONGEST_LABEL or in_run_name(label) in names:
            raise UsageError(f"--vary {flag}: {label} can't name a run; give a mapping of short labels to values")
        labelled[label] = value
        names.add(in_run_name(label))
    return labelled


def read_seeds(text: str | None) -> list[int] | None:
    """The seeds from a YAML list; None if there is none.

    Raises:
        UsageError: if it isn't a list of distinct whole numbers.
    """
    if text is None:
        return None
    seeds = from_yaml("--seeds", text)
    if not isinstance(seeds, list) or not seeds or {type(seed) for seed in seeds} != {int}:
        raise UsageError(f"--seeds {text}: must be a list like '[0,1,2]'")
    if len(set(seeds)) < len(seeds):
        raise UsageError(f"--seeds {text}: a seed is there twice")
    return seeds


def from_yaml(flag: str, text: str) -> Any:
    """What a flag's YAML says."""
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):  # such a ValueError as of the date 2026-13-01
        raise UsageError(f"{flag} {text}: isn't YAML") from None


def as_text(value: Any) -> str:
    """A value as the command line takes it."""
    return (
        value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str)
    )


def in_run_name(label: str) -> str:
    """A label as part of a run's name: [512,256] becomes 512-256."""
    return re.sub(r"[^\w.+=-]+", "-", re.sub(r'[\[\]{}"]', "", label)) or "empty"
