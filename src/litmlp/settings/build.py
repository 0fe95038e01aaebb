"""Task and model from the settings."""

import torch

from litmlp.settings.command_line import Command
from litmlp.tasks.task import Task
from litmlp.training.mlp import MLP


def make_task(command: Command) -> Task:
    """The task. Its data, and with it its spec, are there once its ``prepare_data`` was called."""
    return command.task(**command.arguments(command.task))


def make_model(command: Command, task: Task) -> MLP:
    """The model for a task that has its data, with the initial weights that the seed decides."""
    spec = task.spec
    torch.manual_seed(task.seed)
    return MLP(spec, **command.arguments(MLP))
