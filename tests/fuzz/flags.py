"""Random flags of ``fit`` and ``by_hand``: all there are, with values of their types, at the edges, and hostile."""

from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from lightning.pytorch import Callback

from litmlp.settings.parser import make_parser
from litmlp.tasks import find_task
from tests.fuzz.cases import Case, Step
from tests.fuzz.values import Values, public_classes

# Tasks, with what else they need.
TASKS = {
    **dict.fromkeys(("xor", "log", "log_value", "digits"), ()),
    "table": ("--data", "rows.csv", "--target", "y"),
    "image_folder": ("--data", "photos", "--image_size", "8"),
}
SHORT = ("--accelerator", "cpu", "--max_epochs", "1", "--limit_train_batches", "2")
ENCODINGS = ("utf-8",) * 8 + ("ascii", "cp1252")
# Flags that are given often, since much of what can go wrong is in what they name.
OFTEN = ("callbacks", "callbacks", "logger", "profiler", "plugins", "strategy", "max_time", "precision")


def make(random: Random, base: Path) -> Case:
    """A command with some flags, most of them valid in most cases."""
    task = random.choice(sorted(TASKS))
    values = Values(random, wildness=random.choice((0.0, 0.0, 0.05, 0.3)))
    command = "by_hand" if random.random() < 0.1 else "fit"
    run = () if random.random() < 0.8 else ("--run", random.choice(("base", "mine")))
    steps = tuple(flag(random, values, task) for _ in range(random.randint(1, 5)))
    return Case(command, ("--task", task, *TASKS[task], *SHORT, *run), steps, random.choice(ENCODINGS))


@cache
def options_of(task: str) -> dict[str, Any]:
    """The type of every flag that a task has; None for those that have no value of a type."""
    actions = make_parser(task, find_task(task))._actions
    return {action.dest: getattr(action, "_typehint", None) for action in actions if action.option_strings}


def flag(random: Random, values: Values, task: str) -> Step:
    """One flag with its value, or something that looks like one."""
    if random.random() < values.wildness / 2:
        return Step(nonsense(random, values, task))
    options = options_of(task)
    name = random.choice(OFTEN if random.random() < 0.4 else sorted(options))
    if name.endswith(".help"):
        known = random.choice(public_classes(Callback)).__name__
        return Step((f"--{name}", known if random.random() < 0.7 else values.written(values.text())))
    if options[name] is None:
        return Step((f"--{name}", *([values.written(values.text())] if random.random() < 0.5 else [])))
    return Step(words_of(random, values, name, values.of(options[name], name)))


def words_of(random: Random, values: Values, name: str, value: Any) -> tuple[str, ...]:
    """A flag and its value in one of the forms that the command line has for them."""
    if isinstance(value, dict) and "class_path" in value and random.random() < 0.5:
        class_name = value["class_path"].rpartition(".")[2] if random.random() < 0.5 else value["class_path"]
        sign = "+=" if name in ("callbacks", "plugins") else "="
        arguments = value["init_args"].items()
        return f"--{name}{sign}{class_name}", *(f"--{name}.{key}={values.written(item)}" for key, item in arguments)
    if isinstance(value, dict) and random.random() < 0.5 and value:
        return tuple(f"--{name}.{key}={values.written(item)}" for key, item in value.items())
    if isinstance(value, list) and random.random() < 0.2:
        return tuple(word for item in value for word in (f"--{name}+", values.written(item)))
    text = values.written(value)
    return (f"--{name}", text) if random.random() < 0.7 and not text.startswith("-") else (f"--{name}={text}",)


def nonsense(random: Random, values: Values, task: str) -> tuple[str, ...]:
    """What people type by mistake."""
    name, text = random.choice(sorted(options_of(task))), values.written(values.text())
    forms = (
        (text,), (f"--{text}",), (f"--{name}",), (f"--{name}=",), (f"--{name[:-1]}", text), (f"--{name}.{text}", "1"),
        (f"--{name}+", text), (f"--{name}+=", text), (f"-{name}", text), (f"--{name}", text, text), ("--", text),
        (f"--{name}.x={text}",), (f"--{name}.init_args.x={text}",), (f"--{name}.class_path={text}",),
        (f"--{name.upper()}={text}",),
    )  # fmt: skip
    return random.choice(forms)
