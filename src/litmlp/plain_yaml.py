"""YAML of plain values, in which whatever can't be read is a YAMLError."""

from collections.abc import Callable, Generator, ValuesView
from itertools import islice
from typing import Any

import yaml
from yaml import YAMLError
from yaml.constructor import ConstructorError, SafeConstructor

DEEPEST, MOST = 30, 100_000  # levels and values within each other


class NestingError(YAMLError):
    """Values are nested too deeply, perhaps in themselves, or repeat each other without end."""


def load(text: str) -> Any:
    """The value that a YAML document holds.

    Raises:
        NestingError: if values in it are nested too deeply.
        YAMLError: if it isn't one document of plain values.
    """
    try:
        content = yaml.load(text, Loader)  # noqa: S506 (a SafeLoader)
    except RecursionError:
        raise NestingError from None
    check_nesting(content)
    return content


def check_nesting(content: Any) -> None:
    """Raise a NestingError if values are nested too deeply."""
    level = [content]
    for _ in range(DEEPEST):
        lists = (value.values() if isinstance(value, dict) else value for value in level)
        inner = (item for items in lists if isinstance(items, list | ValuesView) for item in items)
        level = list(islice(inner, MOST + 1))
        if len(level) > MOST:
            break
        if not level:
            return
    raise NestingError


def guard(loader: type[SafeConstructor], recursive: bool = False) -> None:
    """Have a loader raise a YAMLError for each value that isn't of its tag, as ``!!timestamp x``.

    PyYAML's constructors leave that to what they call, which raises errors of many kinds.

    Args:
        loader: the class.
        recursive: whether values may be nested in themselves.
    """
    for tag, construct in loader.yaml_constructors.copy().items():
        loader.add_constructor(tag, guarded(construct, recursive))


def guarded(construct: Callable[[Any, Any], Any], recursive: bool) -> Callable[[Any, Any], Any]:
    """A constructor of PyYAML that raises no other errors than those of YAML."""

    def constructed(loader: Any, node: yaml.Node) -> Any:
        try:
            value = construct(loader, node)
            if isinstance(value, int):
                str(value)  # as long as Python refuses decimal numbers, others are refused, too: nobody could show them
            if isinstance(value, Generator) and not recursive:
                (value,) = value  # fills it at once: PyYAML refuses what it meets again on the way
            return value
        except (ValueError, LookupError, AttributeError, TypeError) as error:
            kind = node.tag.rpartition(":")[2]
            raise ConstructorError(None, None, f"{node.value!r} is no {kind}", node.start_mark) from error

    return constructed


class Loader(yaml.SafeLoader):
    """PyYAML's safe loader, guarded."""


guard(Loader, recursive=True)  # load checks that
