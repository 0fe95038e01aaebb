"""The values of flags that a command line lists as YAML, and what they are called."""

import json
import re
from typing import Any

from litmlp import plain_yaml
from litmlp.errors import UsageError

LONGEST_LABEL = 80


def read_values(flag: str, text: str) -> dict[str, Any]:
    """The values of the varied flag by their labels, from a YAML list of values or mapping of labels to values.

    Raises:
        UsageError: if there are none, or their labels can't name runs.
    """
    values = from_yaml(f"--vary {flag}", text)
    if not isinstance(values, list | dict) or not values:
        raise UsageError(f"--vary {flag} {text}: must be a list like '[0.1, 0.01]', or a mapping of labels to values")
    labelled = by_labels(f"--vary {flag}", values)
    names: set[str] = set()
    for label in labelled:
        name = in_run_name(label).casefold()  # Windows and macOS take two that differ in case for one folder
        if len(label) > LONGEST_LABEL or name in names:
            raise UsageError(f"--vary {flag}: {label} can't name a run; give a mapping of short labels to values")
        names.add(name)
    return labelled


def by_labels(flag: str, values: list[Any] | dict[Any, Any]) -> dict[str, Any]:
    """The values by their labels: those of a mapping, or of a list what the values look like.

    Raises:
        UsageError: if two have the same, which begins with ``flag``.
    """
    labelled: dict[str, Any] = {}
    for key, value in values.items() if isinstance(values, dict) else [(value, value) for value in values]:
        label = " ".join(as_text(key).split())
        if label in labelled:
            raise UsageError(f"{flag}: {label} is there twice")
        labelled[label] = value
    return labelled


def read_seeds(text: str | None) -> list[int] | None:
    """The seeds from a YAML list; None if there is none.

    Raises:
        UsageError: if it isn't a list of distinct whole numbers.
    """
    if text is None:
        return None
    seeds = from_yaml("--seeds", text)
    if not isinstance(seeds, list) or not seeds or {type(seed) for seed in seeds} != {int}:
        raise UsageError(f"--seeds {text}: must be a list like '[0,1,2]'")
    if len(set(seeds)) < len(seeds):
        raise UsageError(f"--seeds {text}: a seed is there twice")
    return seeds


def from_yaml(flag: str, text: str) -> Any:
    """What a flag's YAML says.

    Raises:
        UsageError: if it isn't YAML, or is nested too deeply.
    """
    try:
        return plain_yaml.load(text)
    except plain_yaml.NestingError:
        raise UsageError(f"{flag} {text}: is nested too deeply") from None
    except plain_yaml.YAMLError:
        raise UsageError(f"{flag} {text}: isn't YAML") from None


def as_text(value: Any) -> str:
    """A value as the command line takes it."""
    return (
        value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str)
    )


def in_run_name(label: str) -> str:
    """A label as part of a run's name: [512,256] becomes 512-256."""
    return re.sub(r"[^\w.+=-]+", "-", re.sub(r'[\[\]{}"]', "", label)) or "empty"
