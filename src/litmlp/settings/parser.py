"""The parser of all flags: the arguments of the task's, the MLP's and the Trainer's constructors, and five more."""

import inspect
from typing import Any

import jsonargparse
import torch
from jsonargparse._loaders_dumpers import get_yaml_default_loader
from lightning.pytorch import Trainer

from litmlp import plain_yaml
from litmlp.settings.help import Help
from litmlp.tasks import TASKS
from litmlp.tasks.task import Task
from litmlp.training.mlp import MLP
from litmlp.training.torchrun import default_devices

RUN = "the run's name: its folder is lightning_logs/<task>/NAME. The same command again resumes where the run stopped"
RESUME = (
    "a run's folder, a checkpoint in one, or 'last' for the newest run: resumes where it stopped, with the settings of"
    " the run; limits such as --max_epochs may change"
)
THREADS = (
    "threads of each process; by default as many as the machine and a container's limits give. A run keeps the number"
    " that it was begun with, since the last bits depend on it"
)
DEFAULTS = {"max_epochs": 20, "num_sanity_val_steps": 0, "enable_model_summary": False, "enable_autolog_hparams": False}
plain_yaml.guard(get_yaml_default_loader())  # type: ignore[no-untyped-call] # jsonargparse catches YAMLErrors only


def make_parser(
    reference: str, task: type[Task], accelerator: str | None = None, recommended: dict[str, Any] | None = None
) -> jsonargparse.ArgumentParser:
    """The parser, with the task's recommended settings as defaults.

    Of these, bf16-mixed is left out where the machine isn't known to be faster with it.

    Args:
        reference: what ``--task`` says.
        task: the class that it means.
        accelerator: what ``--accelerator`` says.
        recommended: the settings that the task recommends for its data; those of the class by default.
    """
    recommended = dict(task.recommended if recommended is None else recommended)
    if recommended.get("precision") == "bf16-mixed" and not has_fast_bfloat16(accelerator):
        del recommended["precision"]
    parser = jsonargparse.ArgumentParser(
        prog="fit.py",
        description=f"Fit the MLP to a task. The defaults shown are those of --task {reference}: {about(task)}",
        allow_abbrev=False,
        exit_on_error=False,
        add_help=False,
    )
    parser.add_argument("-h", "--help", action=Help)
    known = (
        f"what to learn: {', '.join(TASKS)}, or a class of your own, as my_tasks.py:MyTask or my_package.module:MyTask"
    )
    parser.add_argument("--task", type=str, default=reference, help=known)
    parser.add_argument("--config", action="config", help="a YAML file of flags, as --print_config prints them")
    parser.add_argument("--run", type=str, help=RUN)
    parser.add_argument("--resume", type=str, help=RESUME)
    parser.add_argument("--threads", type=int | None, help=THREADS)
    parser.add_class_arguments(task, instantiate=False)
    parser.add_class_arguments(MLP, skip={"spec"}, instantiate=False)
    parser.add_class_arguments(Trainer, instantiate=False)
    parser.set_defaults({**DEFAULTS, "devices": default_devices(), **recommended})
    return parser


def about(task: type[Task]) -> str:
    """What a task's docstring says before its arguments."""
    return (inspect.getdoc(task) or "").partition("\nArgs:")[0]


def flags_of(parser: jsonargparse.ArgumentParser) -> list[str]:
    """All flags of the parser, each as ``--name``."""
    options: list[Any] = [option for action in parser._actions for option in action.option_strings]
    return [option for option in options if ".help" not in option]


def has_fast_bfloat16(accelerator: str | None) -> bool:
    """Whether training is going to run on a CPU that multiplies bfloat16 in hardware. GPUs have not been measured."""
    on_cpu = accelerator == "cpu" or (accelerator in (None, "auto") and not torch.accelerator.is_available())
    capabilities = torch.cpu.get_capabilities()
    return on_cpu and any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16"))
