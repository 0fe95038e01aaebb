"""Random values: of a type, as people get them wrong, and as attackers choose them."""

import collections.abc
import inspect
import types
import typing
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import yaml

NUMBERS: tuple[float, ...] = (
    0, 1, 2, 3, 8, -1, 0.5, 0.999, 1.0, 1.5, -0.1, -0.0, 1e-9, 5e-324, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**63,
    -(2**63) - 1, 10**20, 10**400, 1e308, float("nan"), float("inf"), -float("inf"),
)  # fmt: skip
TEXTS = (
    "", " ", "x", "null", "~", "true", "yes", "no", "1e3", "1e999", ".nan", "-.inf", "0x10", "0o17", "1_000", "1:2:3",
    "00:00:00:01", "00:00:00:00", "99:99:99:99", "2026-13-01", "2026-01-01", "[", "{", "]", "[]", "{}", "[[[[]]]]",
    "&a [*a]", "&a {b: *a}", "*a", "{a: &a [1], b: *a}", "x: y: z", "? x", "- x", "<<: x", "'", '"', "|", ">", "#", "%",
    "!!python/object/apply:os.getpid []", "!!binary x", "!!int x", "!!timestamp x", "!x", "${oc.env:HOME}", "%s%n",
    "{0.__class__}", "$(id)", "a\tb", "a\nb", "a\r\nb", "\x1b]0;title\x07", "\x1b[2J", "\x9b31m", "\u202eabc", "é",
    "日本語", "\U0001f600", "\udc80", "\u0000", "a" * 300, "a" * 70_000, "[" * 3_000, "9" * 5_000, "../x", "a/b", ".",
    "..", "/dev/null/x", "/proc/x/y", "file:///proc/x", "http://127.0.0.1:9/x", "s3://x/y", "-", "--", "---", "--lr",
    "-1", "last", "base", "CON", "x.yaml", "x.ckpt", "val/loss", "val/accuracy", "os.getpid", "builtins.int", "json",
    "litmlp.MLP", "lightning.pytorch.Trainer", "lightning.pytorch.callbacks.Callback", "Callback", "EarlyStopping",
)  # fmt: skip
# What some names usually mean, where their types don't say.
MEANT: dict[str, tuple[Any, ...]] = {
    "accelerator": ("auto", "cpu", "gpu", "cuda", "mps", "tpu", "x"),
    "devices": ("auto", 1, "1", [0], 0, -1, "x", [0, 0], [], "0,", 2.5),
    "strategy": ("auto", "ddp", "ddp_spawn", "ddp_notebook", "fsdp", "deepspeed", "single_device", "x"),
    "num_nodes": (1, 0, -1),
    "precision": ("32", "64", "16", "bf16", "bf16-mixed", "16-mixed", "32-true", "64-true", "16-true", "bf16-true", 64),
    "profiler": ("simple", "advanced", "pytorch", "xla", "x", None),
    "max_time": ("00:00:00:30", "00:00:00:01", {"seconds": 20}, {"days": 1, "x": 2}, {"days": 10**10}, "soon"),
    "val_check_interval": (1, 2, 0.5, 1.0, 0.3, 3, "00:00:01:00", {"minutes": 1}, 10**9),
    "gradient_clip_algorithm": ("norm", "value", "x"),
    "monitor": ("val/loss", "val/accuracy", "train/loss", "train/accuracy", "val/los", "epoch", None),
    "mode": ("min", "max", "auto", "up"),
    "logging_interval": ("step", "epoch", "x", None),
    "interval": ("step", "epoch", "x"),
    "dirpath": ("points", "a/b", None), "save_dir": ("logs", "a/b", None), "filename": ("{epoch}", "{val/loss}", "x"),
    "default_root_dir": ("here", ".", None), "data_dir": ("data", "here"),
    "run": ("base", "mine", "a.b", "a b"), "resume": ("lightning_logs/xor/base", "last", "base"), "config": ("c.yaml",),
    "task": ("xor", "log", "log_value", "digits", "digit", "x.py:X", "xor:XOR", "litmlp.tasks.xor:XOR"),
    "data": ("rows.csv", "many.csv", "photos", "rows.*", "here"), "target": ("y", "word", "number", "day"),
    "image_size": (8, 4, 1), "memory": ("1kB", "1MB", "100MB", "2GB", "0", "x"), "missing": (["NA"], ["", "u"], []),
    "colour": ("rgb", "grey", "auto"),
    "columns": ({"word": "ignore"}, {"day": "%Y-%m-%d"}, {"number": "category"}, {"word": "number"}, {"y": "ignore"}),
    "group_by": ("word", "day", "y", None), "time_by": ("day", "number", "word", None),
    "max_epochs": (1, 2, 3), "min_epochs": (1, 2), "max_steps": (1, 5, -1), "min_steps": (1, 5),
    "hidden": ([8], [], [4, 4], [16]), "batch_size": (4, 16, 64, 1), "name": ("x", None), "version": (1, "x", None),
}  # fmt: skip

PLAIN: dict[Any, tuple[Any, ...]] = {
    bool: (True, False), int: (1, 1, 2, 3, 5), float: (0.1, 0.5, 0.01, 1.0), str: ("x", "a_b"), Path: ("x", "a/b"),
    type(None): (None,), timedelta: ("00:00:00:05",),
}  # fmt: skip


class Values:
    """Draws values.

    Args:
        random: to draw with.
        wildness: the probability that a value isn't of the type that it should be.
    """

    def __init__(self, random: Random, wildness: float) -> None:
        self.random = random
        self.wildness = wildness

    def anything(self, depth: int = 0) -> Any:
        """Some plain value."""
        kind = self.random.random()
        if kind < 0.35:
            return self.random.choice(NUMBERS)
        if kind < 0.75 or depth > 2:
            return self.text()
        if kind < 0.85:
            return self.random.choice((None, True, False))
        if kind < 0.93:
            return [self.anything(depth + 1) for _ in range(self.random.randint(0, 3))]
        return {self.text(): self.anything(depth + 1) for _ in range(self.random.randint(0, 3))}

    def text(self) -> str:
        """Some text."""
        return self.random.choice(TEXTS)

    def of(self, hint: Any, name: str = "", depth: int = 0) -> Any:
        """A plain value of a type, if nothing wild happens; an instance is meant by its class_path and init_args."""
        if self.random.random() < self.wildness:
            return self.anything()
        if name in MEANT and (self.random.random() < 0.7 or depth > 3):
            return self.random.choice(MEANT[name])
        if hint in PLAIN:
            return self.random.choice(PLAIN[hint])
        if isinstance(hint, type) and hint.__module__.startswith("lightning") and depth < 4:
            return self.instance_of(hint)
        return self._nested(hint, name, depth + 1)

    def _nested(self, hint: Any, name: str, depth: int) -> Any:
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin in (typing.Union, types.UnionType):
            return self.of(self.random.choice(arguments), name, depth)
        if origin is typing.Literal:
            return self.random.choice(arguments)
        if origin in (list, set, tuple, collections.abc.Sequence, collections.abc.Iterable):
            return [self.of(arguments[0], depth=depth) for _ in range(self.random.randint(0, 2))]
        if origin in (dict, collections.abc.Mapping):
            key, value = (self.of(argument, depth=depth) for argument in arguments)
            return {key if isinstance(key, collections.abc.Hashable) else str(key): value}
        if typing.is_typeddict(hint):
            return {key: self.of(float) for key in self.random.sample(sorted(hint.__annotations__), 2)}
        return self.anything()

    def instance_of(self, base: type) -> dict[str, Any]:
        """An instance of a public class of Lightning, as jsonargparse takes it."""
        chosen = self.random.choice(public_classes(base))
        hints = arguments_of(chosen)
        required = {name for name, (_, is_required) in hints.items() if is_required}
        names = [name for name in hints if name in required or self.random.random() < 0.3]
        arguments = {name: self.of(hints[name][0], name, 2) for name in names}
        if self.random.random() < self.wildness:
            arguments[self.text()] = self.anything()
        return {"class_path": f"{chosen.__module__}.{chosen.__qualname__}", "init_args": arguments}

    def written(self, value: Any) -> str:
        """The value as it may stand on a command line: no NUL can."""
        if isinstance(value, str) and self.random.random() < 0.9:
            return value.replace("\0", "\\0")
        text = yaml.safe_dump(value, default_flow_style=True, width=10**9, allow_unicode=True, sort_keys=False)
        return text.removesuffix("\n...\n").strip().replace("\0", "\\0")


def public_classes(base: type) -> list[type]:
    """A class and its subclasses in Lightning, in order, without those whose names begin with an underscore."""
    found: set[type] = {base}
    queue: list[type] = [base]
    while queue:
        subclasses: list[type] = queue.pop().__subclasses__()
        for subclass in subclasses:
            if subclass not in found and subclass.__module__.startswith("lightning."):
                found.add(subclass)
                queue.append(subclass)
    return sorted((one for one in found if one.__name__[0] != "_"), key=lambda one: (one.__module__, one.__name__))


def arguments_of(chosen: type) -> dict[str, tuple[Any, bool]]:
    """The type of each argument of a class's constructor, and whether it is required."""
    parameters = inspect.signature(chosen).parameters.values()
    try:
        hints = typing.get_type_hints(chosen.__init__)  # type: ignore[misc]
    except (NameError, TypeError):  # of a package that isn't installed
        hints = {}
    return {
        one.name: (hints.get(one.name, Any), one.default is inspect.Parameter.empty)
        for one in parameters
        if one.kind not in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    }
