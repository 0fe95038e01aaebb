"""The command line: what it says, beside the settings of the run that it names."""

import argparse
import inspect
import os
import re
import sys
from collections.abc import Callable
from glob import glob
from pathlib import Path
from typing import Any, NamedTuple

import jsonargparse
import yaml
from jsonargparse import Namespace

from litmlp.errors import UsageError, about
from litmlp.files import read_yaml
from litmlp.flags import Parser
from litmlp.messages import explain, explain_missing
from litmlp.ranges import RANGES, check_ranges
from litmlp.runs import Run, logs_folder
from litmlp.settings.help import only_what_is_asked
from litmlp.settings.instances import instantiate
from litmlp.settings.parser import flags_of, make_parser
from litmlp.settings.threads import default_threads
from litmlp.tasks import TASKS, find_task
from litmlp.tasks.task import Task
from litmlp.training.mlp import MLP
from litmlp.training.preflight import count_of
from litmlp.training.trainer import arguments_of

DEFAULT_TASK = "digits"
MAY_CHANGE = {"data_dir"}
RUN_VARIABLE = "LITMLP_RUN"  # hands the run's folder to the processes that the Trainer starts


class Command(NamedTuple):
    """What the command line says.

    Attributes:
        task: the class of the task.
        settings: the value of every flag.
        text: the settings as YAML, for the run's config.yaml.
        run: the run that ``--run`` or ``--resume`` names; None for a new one without a name.
        resume_from: the checkpoint that ``--resume`` names, if it isn't the whole run.
        stored: the settings that the run was made with; None if it is new.
    """

    task: type[Task]
    settings: Namespace
    text: str
    run: Run | None
    resume_from: Path | None
    stored: dict[str, Any] | None

    @property
    def logs(self) -> Path:
        """Where runs are."""
        return logs_folder(self.settings.default_root_dir)

    def arguments(self, constructor: Callable[..., Any]) -> dict[str, Any]:
        """The settings that are the constructor's arguments."""
        return arguments_of(constructor, self.settings)


def read_command(argv: list[str]) -> Command:
    """Read the command line, in two passes: the first finds the task, the second reads the flags that it has.

    Raises:
        UsageError: if a flag or a value is wrong, or contradicts the run that it names.
        Failure: if a file that is named can't be read.
    """
    first = first_pass(argv)
    logs = logs_folder(first.default_root_dir)
    run = named_run(first.run, first.resume, first.task, logs)
    stored = run.read_config() if run is not None else None
    if stored is not None:
        argv = ["--config", as_base(stored, argv), *argv]
    reference = first.task or (stored["task"] if stored is not None else DEFAULT_TASK)
    with about("--task"):
        task = find_task(reference)
    parser = make_parser(reference, task, first.accelerator)
    parsed = parse(parser, argv)
    recommended = task.recommended_for(arguments_of(task, parsed))
    if recommended != task.recommended:
        parser = make_parser(reference, task, first.accelerator, recommended)
        parsed = parse(parser, argv)
    parsed.task = reference
    if parsed.threads is None:
        parsed.threads = default_threads(processes_in(parsed))
    check_ranges(vars(parsed))
    for name in ("max_epochs", "max_steps"):
        if parsed[name] is None:
            raise UsageError(f"--{name} null: must be {RANGES[name].words}")
    settings = instantiate(parser, parsed)
    text = parser.dump(parsed, skip_validation=True)
    if run is not None and stored is not None:
        check_contradictions(yaml.safe_load(text), stored, run, task)
    path = Path(first.resume) if first.resume else None
    resume_from = path if path is not None and path.is_file() else None
    return Command(task, settings, text, run, resume_from, stored)


def parse(parser: jsonargparse.ArgumentParser, argv: list[str]) -> Namespace:
    """The value of every flag but those that name a file or a run. A logger to files writes to the run's folder.

    Of several loggers only the last can be without a folder of its own.

    Raises:
        UsageError: if a flag or a value is wrong.
    """
    try:
        parsed = parser.parse_args(only_what_is_asked(parser, argv))
        for name in ("config", "run", "resume"):
            parsed.pop(name, None)
        check_nulls(parser, parsed)
        return parsed
    except jsonargparse.ArgumentError as error:
        line = explain(str(error), flags_of(parser), tasks_with)
    except RecursionError:
        line = "a value is nested too deeply"
    except OverflowError:  # as of a whole number with 400 digits where a float belongs
        line = f"a number is too large: the largest is {sys.float_info.max:.1e}"
    of_the_run = "--logger.save_dir="
    if line == explain_missing("logger", "save_dir") and argv[-1] != of_the_run:
        return parse(parser, [*argv, of_the_run])
    raise UsageError(line) from None


def check_nulls(parser: jsonargparse.ArgumentParser, parsed: Namespace) -> None:
    """Raise a UsageError if a flag that can't be null is: jsonargparse takes one in a file for a flag not given."""
    try:
        parser.validate(parsed, skip_unset=False)
    except TypeError as error:
        raise UsageError(explain(str(error), flags_of(parser), tasks_with)) from None


def tasks_with(flag: str) -> list[str]:
    """The tasks that have a flag of this name."""
    return [name for name, task in TASKS.items() if flag in inspect.signature(task).parameters]


def processes_in(settings: Namespace) -> int:
    """How many processes of a training on the CPU share this machine."""
    return max(1, count_of(settings.devices)) if settings.accelerator == "cpu" else 1


def first_pass(argv: list[str]) -> argparse.Namespace:
    """Read the flags that decide which other flags there are, from the command line or the file it names."""
    parser = Parser(add_help=False)
    names = ("task", "run", "resume", "default_root_dir")
    for name in ("config", "accelerator", *names):
        parser.add_argument(f"--{name}")
    first = parser.parse_known_args(argv)[0]
    config = read_yaml(Path(first.config)) if first.config is not None else {}
    for name in names:
        value = config.get(name)
        if not isinstance(value, str | None):
            raise UsageError(f"{name}: {value} in {first.config}: must be text")
        if getattr(first, name) is None:
            setattr(first, name, value)
    if first.accelerator is None:
        first.accelerator = config.get("accelerator")
    if first.run and first.resume:
        raise UsageError(f"--run {first.run} --resume {first.resume}: one of them says which run it is; drop the other")
    return first


def named_run(name: str | None, resume: str | None, task: str | None, logs: Path) -> Run | None:
    """The run that ``--run`` or ``--resume`` names, if one of them is given."""
    if RUN_VARIABLE in os.environ:
        return Run(Path(os.environ[RUN_VARIABLE]))
    if resume is not None:
        with about("--resume"):
            return Run.containing(resume, logs)
    if name is None:
        return None
    with about("--task"):
        folder = find_task(task or DEFAULT_TASK).task_name()
    with about("--run"):
        run = Run.named(logs, folder, name)
    # Unlike Path.glob, this one finds nothing where we have no rights to look.
    owners = [(logs / config).parent for config in glob(f"*/{name}/config.yaml", root_dir=logs)]  # noqa: PTH207
    if run.folder in owners or not owners:
        return run
    if task is not None:
        raise UsageError(f"--task {task} contradicts the run {owners[0]}: choose another --run, or leave out --task")
    return Run(owners[0])


def as_base(stored: dict[str, Any], argv: list[str]) -> str:
    """A run's settings as the YAML that the command line builds on.

    It leaves out the lists that the command line adds to (``--callbacks+=``): the same command again would add
    the same items once more.
    """
    added_to = {arg[2:].partition("+")[0] for arg in argv if re.match(r"--\w+\+", arg)}
    return str(yaml.safe_dump({name: value for name, value in stored.items() if name not in added_to}, sort_keys=False))


def check_contradictions(settings: dict[str, Any], stored: dict[str, Any], run: Run, task: type[Task]) -> None:
    """Raise a UsageError if a setting of the task or the model isn't that of the stored run."""
    fixed = {*inspect.signature(task).parameters, *inspect.signature(MLP).parameters} - {"spec"} - MAY_CHANGE
    for name in ("task", "threads", *sorted(fixed)):
        if name in stored and settings.get(name) != stored[name]:
            raise UsageError(
                f"--{name} {settings.get(name)} contradicts the run {run.folder}, made with"
                f" --{name} {stored[name]}: leave the flag out, or start another run"
            )
