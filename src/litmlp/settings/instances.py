"""The objects that flags name by their classes: callbacks, loggers, profilers, plugins."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jsonargparse
from jsonargparse import Namespace

from litmlp.training.policy import FLAGS, construct


def instantiate(parser: jsonargparse.ArgumentParser, parsed: Namespace) -> Namespace:
    """The settings, with an object in place of each class and its arguments.

    Raises:
        UsageError: if a run can't have one. What the constructor of a user's own class raises is left alone.
    """
    errors: list[Exception] = []

    def build(flag: str, kind: type, **arguments: Any) -> Any:
        try:
            return construct(kind, flag, arguments)
        except Exception as error:
            errors.append(error)
            raise

    builders: list[tuple[Callable[..., Any], type, bool]] = [
        (partial(build, flag), base, True) for base, flag in FLAGS.items()
    ]
    try:
        made: Namespace = parser.instantiate(parsed, instantiators=builders)
    except ValueError as error:  # jsonargparse's own, a list of all that it has tried
        raise (errors[0] if errors else error) from None
    return made
