"""Task and model from the settings."""

import torch

from litmlp.errors import UsageError
from litmlp.settings.command_line import Command
from litmlp.tasks.task import Task
from litmlp.training.memory import check_memory
from litmlp.training.mlp import MLP

CPU = torch.device("cpu")


def make_task(command: Command) -> Task:
    """The task. Its data, and with it its spec, are there once its ``prepare_data`` was called."""
    return command.task(**command.arguments(command.task))


def make_outline(command: Command, task: Task) -> MLP:
    """The model for a task that has its data, on the meta device, where it takes no memory.

    Raises:
        UsageError: if a setting is wrong.
    """
    spec = task.spec
    try:
        with torch.device("meta"):
            return MLP(spec, **command.arguments(MLP))
    except RuntimeError as error:  # so torch says that it can't count the bytes
        settings = command.settings
        raise UsageError(f"--hidden {settings.hidden} --conv {settings.conv}: too many parameters ({error})") from error


def make_model(command: Command, task: Task, device: torch.device = CPU) -> MLP:
    """The model for a task that has its data, with the initial weights that the seed decides.

    Args:
        command: what the command line says.
        task: with its data.
        device: where the model is going to be trained; it is still on the CPU.

    Raises:
        UsageError: if a setting is wrong, or the model doesn't fit into memory.
    """
    check_memory(make_outline(command, task), command.settings.precision, device)
    spec = task.spec
    torch.manual_seed(task.seed)
    return MLP(spec, **command.arguments(MLP))
