"""The tasks by name. A new one is a class in a file of its own and a line here; others are named by their place."""

import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from litmlp.errors import UsageError

if TYPE_CHECKING:
    from litmlp.tasks.task import Task

REFERENCES = {
    "digits": "litmlp.tasks.digits:Digits",
    "xor": "litmlp.tasks.xor:XOR",
    "log": "litmlp.tasks.log:Log",
    "log_value": "litmlp.tasks.log:LogValue",
    "mnist": "litmlp.tasks.mnist:MNIST",
    "fashion_mnist": "litmlp.tasks.mnist:FashionMNIST",
    "kmnist": "litmlp.tasks.mnist:KMNIST",
    "table": "litmlp.tasks.table:Table",
    "image_folder": "litmlp.tasks.image_folder:ImageFolder",
}


class Registry(Mapping[str, "type[Task]"]):
    """The task classes by name. One is imported when it is asked for: torchvision, say, takes its time."""

    def __getitem__(self, name: str) -> "type[Task]":
        module, _, class_name = REFERENCES[name].partition(":")
        task: type[Task] = getattr(import_module(module), class_name)
        return task

    def __contains__(self, name: object) -> bool:
        return name in REFERENCES

    def __iter__(self) -> Iterator[str]:
        return iter(REFERENCES)

    def __len__(self) -> int:
        return len(REFERENCES)


TASKS = Registry()


def find_task(reference: str) -> "type[Task]":
    """The class of a task by its name, or by its place: ``my_tasks.py:Circle`` or ``my_package.module:Circle``.

    Raises:
        UsageError: if there is none. What a user's own file raises while it is imported keeps its traceback.
    """
    if reference in TASKS:
        return TASKS[reference]
    place, colon, name = reference.rpartition(":")
    if not colon:
        near = get_close_matches(reference, TASKS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(TASKS)}"
        raise UsageError(f"{reference}: there is no such task; {hint} (one of your own: my_tasks.py:MyTask)")
    module = import_file(Path(place)) if place.endswith(".py") else import_named(place)
    from litmlp.tasks.task import Task  # noqa: PLC0415 (naming a task doesn't import Lightning)

    task = getattr(module, name, None)
    if not (isinstance(task, type) and issubclass(task, Task)):
        own = [key for key, value in vars(module).items() if isinstance(value, type) and issubclass(value, Task)]
        raise UsageError(f"{reference}: there is no Task {name} in {place}; it has {', '.join(own) or 'none'}")
    return task


def import_named(name: str) -> ModuleType:
    """A module by its name, also from the working folder."""
    if "" not in sys.path:
        sys.path.append("")
    try:
        return import_module(name)
    except ImportError as error:
        raise UsageError(f"{name} can't be imported: {error}") from error


def import_file(path: Path) -> ModuleType:
    """A module from its file, which may import others beside it."""
    if not os.path.isfile(path):  # noqa: PTH113 (unlike Path.is_file, it says no where there can't be such a file)
        raise UsageError(f"{path}: there is no such file")
    name = f"task_file_{path.resolve().stem}"
    if name in sys.modules and sys.modules[name].__file__ == str(path.resolve()):
        return sys.modules[name]
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, SyntaxError):
            raise UsageError(f"{error.filename}, line {error.lineno}: {error.msg}") from error
        if isinstance(error, ImportError):
            raise UsageError(f"{path} can't be imported: {error}") from error
        raise
    return module
