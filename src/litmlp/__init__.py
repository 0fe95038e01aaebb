"""LitMLP fits one generic multilayer perceptron to any task.

The public names are imported when they are first used: a command can then answer signals, and a wrong flag be
told, without the seconds that importing torch takes.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
_MODULE_OF = {
    "MLP": "litmlp.mlp",
    "Task": "litmlp.tasks.task",
    "TASKS": "litmlp.tasks",
    "BatchLoader": "litmlp.loader",
    "Failure": "litmlp.errors",
    "UsageError": "litmlp.errors",
}
__all__ = list(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'litmlp' has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF[name]), name)
