"""The command line: every flag is an argument of the task's, the MLP's or the Trainer's constructor, or one of four."""

import argparse
import difflib
import inspect
import os
import re
from collections.abc import Callable
from glob import glob
from pathlib import Path
from typing import Any, NamedTuple

import jsonargparse
import torch
import yaml
from jsonargparse import Namespace
from lightning.pytorch import Trainer

from litmlp.errors import UsageError
from litmlp.flags import Parser
from litmlp.mlp import MLP
from litmlp.processes import default_devices
from litmlp.runs import Run, logs_folder, read_yaml
from litmlp.tasks import TASKS

FROM_THE_TASK = {"task", "sample_shape", "outputs", "loss", "classes"}
TRAINER_DEFAULTS = {"num_sanity_val_steps": 0, "enable_model_summary": False, "enable_autolog_hparams": False}
MAY_CHANGE = {"data_dir"}
IN_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a word",
    "Sequence": "a list like '[512,256]'",
    "dict": "settings like '{name: value}'",
}
RUN_VARIABLE = "LITMLP_RUN"  # hands the run's folder to the processes that the Trainer starts


class Command(NamedTuple):
    """What the command line says.

    Attributes:
        settings: the value of every flag.
        text: the settings as YAML, for the run's config.yaml.
        run: the run that ``--run`` or ``--resume`` names; None for a new one without a name.
        resume_from: the checkpoint that ``--resume`` names, if it isn't the whole run.
        stored: the settings that the run was made with; None if it is new.
    """

    settings: Namespace
    text: str
    run: Run | None
    resume_from: Path | None
    stored: dict[str, Any] | None

    @property
    def logs(self) -> Path:
        """Where runs land."""
        return logs_folder(self.settings.default_root_dir)

    def arguments(self, constructor: Callable[..., Any]) -> dict[str, Any]:
        """The settings that are the constructor's arguments."""
        names = inspect.signature(constructor).parameters
        return {name: value for name, value in vars(self.settings).items() if name in names}


def read_command(argv: list[str]) -> Command:
    """Read the command line, in two passes: the first finds the task, the second reads the flags that it has.

    Raises:
        UsageError: if a flag or a value is wrong, or contradicts the run that it names.
        Failure: if a file that is named can't be read.
    """
    first = first_pass(argv)
    task = first.task
    run = named_run(first.run, first.resume, task, logs_folder(first.default_root_dir))
    stored = run.read_config() if run is not None else None
    if stored is not None:
        argv = ["--config", as_base(stored, argv), *argv]
        task = task or stored["task"]
    task = task or "digits"
    if task not in TASKS:
        raise UsageError(f"--task {task}: there is no such task; there are {', '.join(TASKS)}")
    parser = make_parser(task, first.accelerator)
    try:
        parsed = parser.parse_args(argv)
    except jsonargparse.ArgumentError as error:
        raise UsageError(explain(str(error), parser)) from None
    for name in ("config", "run", "resume"):
        parsed.pop(name, None)
    parsed.task = task
    for name in ("max_epochs", "max_steps"):
        if parsed[name] is None or (parsed[name] < 1 and parsed[name] != -1):
            value = "null" if parsed[name] is None else parsed[name]
            raise UsageError(f"--{name} {value}: must be at least 1, or -1 to train until it is stopped")
    text = parser.dump(parsed, skip_validation=True)
    if run is not None and stored is not None:
        check_contradictions(yaml.safe_load(text), stored, run, task)
    path = Path(first.resume) if first.resume else None
    resume_from = path if path is not None and path.is_file() else None
    return Command(parser.instantiate(parsed), text, run, resume_from, stored)


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
        return Run.containing(resume, logs)
    if name is None:
        return None
    run = Run.named(logs, task or "digits", name)
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


def make_parser(task: str, accelerator: str | None = None) -> jsonargparse.ArgumentParser:
    """The parser of all flags, with the task's recommended settings as defaults.

    Of these, bf16-mixed is left out where the machine isn't known to be faster with it.
    """
    recommended = dict(TASKS[task].recommended)
    if recommended.get("precision") == "bf16-mixed" and not has_fast_bfloat16(accelerator):
        del recommended["precision"]
    parser = jsonargparse.ArgumentParser(
        prog="fit.py",
        description=f"Fit the MLP to a task. The defaults shown are those of --task {task}: {TASKS[task].__doc__}",
        allow_abbrev=False,
        exit_on_error=False,
    )
    parser.add_argument("--task", type=str, default=task, help=f"what to learn: {', '.join(TASKS)}")
    parser.add_argument("--config", action="config", help="a YAML file of flags, as --print_config prints them")
    parser.add_argument(
        "--run",
        type=str,
        help="the run's name: its folder is lightning_logs/<task>/NAME. The same command again goes on where the run"
        " stopped",
    )
    parser.add_argument(
        "--resume",
        type=str,
        help="a run's folder, a checkpoint in one, or 'last' for the newest run: goes on where it stopped, with the"
        " settings of the run; limits such as --max_epochs may change",
    )
    parser.add_class_arguments(TASKS[task], instantiate=False)
    parser.add_class_arguments(MLP, skip=FROM_THE_TASK, instantiate=False)
    parser.add_class_arguments(Trainer, instantiate=False)
    parser.set_defaults({**TRAINER_DEFAULTS, "devices": default_devices(), **recommended})
    return parser


def has_fast_bfloat16(accelerator: str | None) -> bool:
    """Whether training is going to run on a CPU that multiplies bfloat16 in hardware. GPUs have not been measured."""
    on_cpu = accelerator == "cpu" or (accelerator in (None, "auto") and not torch.accelerator.is_available())
    capabilities = torch.cpu.get_capabilities()
    return on_cpu and any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16"))


def explain(message: str, parser: jsonargparse.ArgumentParser) -> str:
    """One line that names the flag, from one of jsonargparse's messages."""
    tried = message.split("\n    - ")  # where a value may be of several types: what each of them has against it
    if len(tried) > 1 and "class_path" in tried[1]:
        message = tried[0] + tried[1]
    key = ".".join(re.findall(r'Parser key "([^"]+)"', message))
    unknown = re.search(
        r"(?:[Uu]nrecognized arguments: |Key '|Group |Option '|Unexpected keys: {')(?P<flag>[^\s'=]+)", message
    )
    if unknown and re.search("nrecognized|not expected|not accept|Unexpected", message):
        flag = f"--{key}.{unknown['flag']}" if key else f"--{unknown['flag'].removeprefix('--')}"
        flags = [option for action in parser._actions for option in action.option_strings if ".help" not in option]
        similar = difflib.get_close_matches(flag, flags, n=1)
        return f"there is no flag {flag}" + (f"; did you mean {similar[0]}?" if similar else " (see --help)")
    missing = re.search(r"arguments are required: (.*)", message)
    if missing:
        return f"--{key}.{missing[1]} is missing: give it, too"
    value = re.search(r"(?:Given|Got) value: (?P<value>.*)", message)
    if not key or not value:
        return message
    if "dot import path string" in message:
        return f"--{key} {value['value']}: there is no class of that name"
    expected = re.findall(r"Expected an? (.*?)(?:\. Got|$)", message, re.MULTILINE)
    plain = [re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", type_).removeprefix("typing.") for type_ in expected]
    wanted = [IN_WORDS.get(type_, type_.replace("Literal", "one of ")) for type_ in plain if type_ != "NoneType"]
    return f"--{key} {value['value']}: must be {' or '.join(wanted) or 'something else (see --help)'}"


def check_contradictions(settings: dict[str, Any], stored: dict[str, Any], run: Run, task: str) -> None:
    """Raise a UsageError if a setting of the task or the model isn't that of the stored run."""
    fixed = (
        {*inspect.signature(TASKS[task]).parameters, *inspect.signature(MLP).parameters} - FROM_THE_TASK - MAY_CHANGE
    )
    for name in ("task", *sorted(fixed)):
        if settings.get(name) != stored.get(name):
            raise UsageError(
                f"--{name} {settings.get(name)} contradicts the run {run.folder}, made with"
                f" --{name} {stored.get(name)}: leave the flag out, or start another run"
            )
