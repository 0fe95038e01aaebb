"""LitMLP fits one generic multilayer perceptron to any task.

The public names are imported when they are first used: a command can then answer signals, and a wrong flag be
reported, without the seconds that importing torch takes; and whoever only asks a trained network imports no Lightning.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from litmlp.errors import Failure, UsageError
    from litmlp.model.loading import load
    from litmlp.model.network import Network
    from litmlp.model.spec import ImageForm, Settings, Spec
    from litmlp.tasks.loader import BatchLoader
    from litmlp.tasks.registry import TASKS
    from litmlp.tasks.task import Task
    from litmlp.training.callbacks import SeedEachStep
    from litmlp.training.mlp import MLP
    from litmlp.training.resume import ResumePoints

__version__ = "0.3.0"
MODULES = {
    "MLP": "litmlp.training.mlp",
    "load": "litmlp.model.loading",
    "TASKS": "litmlp.tasks.registry",
    "Task": "litmlp.tasks.task",
    "Network": "litmlp.model.network",
    "Spec": "litmlp.model.spec",
    "Settings": "litmlp.model.spec",
    "ImageForm": "litmlp.model.spec",
    "ResumePoints": "litmlp.training.resume",
    "SeedEachStep": "litmlp.training.callbacks",
    "BatchLoader": "litmlp.tasks.loader",
    "Failure": "litmlp.errors",
    "UsageError": "litmlp.errors",
}
__all__ = [
    "MLP",
    "TASKS",
    "BatchLoader",
    "Failure",
    "ImageForm",
    "Network",
    "ResumePoints",
    "SeedEachStep",
    "Settings",
    "Spec",
    "Task",
    "UsageError",
    "load",
]


def __getattr__(name: str) -> Any:
    if name not in MODULES:
        raise AttributeError(f"module 'litmlp' has no attribute {name!r}")
    return getattr(import_module(MODULES[name]), name)
