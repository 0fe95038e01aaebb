"""What two runs came to, down to the last bit: checkpoints, curves and results."""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

NOT_OF_THE_RUN = {"seconds", "best_checkpoint"}  # the clock, and a path
# An interrupted run has one events file for each start, and its last-but-one resume point is another.
MAY_DIFFER = ("events.out.tfevents.", "previous.ckpt")
PLACE = re.compile(r"^/.*/(?=checkpoints(/|$))")


def differences(run: Path, reference: Path) -> list[str]:
    """In what a run's folder differs from an undisturbed run's."""
    if not (run / "results.json").exists():
        return ["results.json is missing"]
    return [
        *compare("folder", files(run), files(reference)),
        *compare("results.json", *(json.loads((folder / "results.json").read_text()) for folder in (run, reference))),
        *compare("config.yaml", *((folder / "config.yaml").read_text() for folder in (run, reference))),
        *compare("last.ckpt", *(load(folder / "checkpoints" / "last.ckpt") for folder in (run, reference))),
        *compare("best.ckpt", *(load(folder / "checkpoints" / "best.ckpt") for folder in (run, reference))),
        *compare("curves", curves(run), curves(reference)),
        *compare("metrics.csv", rows(run), rows(reference)),
    ]


def files(folder: Path) -> list[str]:
    """The names of a run's files that every such run has to have."""
    paths = (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in paths if not any(part in path for part in MAY_DIFFER))


def rows(folder: Path) -> list[dict[str, str]]:
    """The rows of a run's metrics.csv, if there is one; the order of its columns is left to chance."""
    path = folder / "metrics.csv"
    return list(csv.DictReader(path.read_text().splitlines())) if path.exists() else []


def load(checkpoint: Path) -> Any:
    """A checkpoint's content, without where its run lies."""
    return without_place(torch.load(checkpoint, weights_only=True))


def without_place(value: Any) -> Any:
    """A nested value in which paths begin at a run's checkpoints."""
    if isinstance(value, str):
        return PLACE.sub("", value)
    if isinstance(value, dict):
        return type(value)((without_place(key), without_place(inside)) for key, inside in value.items())
    return [without_place(inside) for inside in value] if isinstance(value, list) else value


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Every scalar's steps and values, as TensorBoard shows them: what was logged behind a resume point is purged."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}, purge_orphaned_data=True)
    events.Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def compare(where: str, found: Any, expected: Any) -> Iterator[str]:
    """The places in which two nested values differ. NaN equals NaN; 1 and 1.0 differ."""
    if type(found) is not type(expected):
        yield f"{where}: {found!r} instead of {expected!r}"[:300]
    elif isinstance(found, dict):
        for key in {**expected, **found}.keys() - NOT_OF_THE_RUN:
            if key in found and key in expected:
                yield from compare(f"{where}/{key}", found[key], expected[key])
            else:
                yield f"{where}/{key} is {'missing' if key in expected else 'too much'}"
    elif isinstance(found, list | tuple) and len(found) == len(expected):
        for index, pair in enumerate(zip(found, expected, strict=True)):
            yield from compare(f"{where}[{index}]", *pair)
    elif not is_same(found, expected):
        yield f"{where}: {found!r} instead of {expected!r}"[:300]


def is_same(found: Any, expected: Any) -> bool:
    """Whether two values of one type are the same, bit for bit."""
    if isinstance(found, torch.Tensor):
        if found.dtype != expected.dtype or found.shape != expected.shape:
            return False
        return torch.equal(*(tensor.reshape(-1).view(torch.uint8) for tensor in (found, expected)))
    return bool(found == expected) or (found != found and expected != expected)  # noqa: PLR0124 (NaN)
