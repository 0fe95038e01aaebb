"""The values that each setting can have, in one table."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from litmlp.errors import UsageError


class Range(NamedTuple):
    """The numbers from ``low`` to ``high``.

    Attributes:
        words: the range, for people.
        low: the smallest value.
        high: the largest value.
        without_ends: whether ``low``, ``high`` or both are outside of the range themselves.
        also: a value outside of the range that is allowed, too.
    """

    words: str
    low: float
    high: float = math.inf
    without_ends: str = ""
    also: float | None = None

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, int | float) or value != value:  # noqa: PLR0124 (NaN; a whole number may exceed floats)
            return False
        if value == self.also:
            return True
        above = value > self.low if "low" in self.without_ends else value >= self.low
        below = value < self.high if "high" in self.without_ends else value <= self.high
        return above and below


class OneOf(NamedTuple):
    """A choice of values."""

    choices: tuple[str, ...]

    @property
    def words(self) -> str:
        """The choice, for people."""
        return " or ".join(self.choices)

    def __contains__(self, value: object) -> bool:
        return value in self.choices


AT_LEAST_0 = Range("a number of at least 0", 0, without_ends="high")
AT_LEAST_1 = Range("at least 1", 1)
COUNT = Range("at least 0", 0)
SIZE = Range("from 1 to 2**31 - 1", 1, 2**31 - 1)
ABOVE_0 = Range("a number above 0", 0, without_ends="low high")
PROBABILITY = Range("from 0 to 1", 0, 1)
BELOW_1 = Range("from 0 to below 1", 0, 1, without_ends="high")
ENDLESS = Range("at least 1, or -1 to train until it is stopped", 1, 2**53, also=-1)

RANGES: dict[str, Range | OneOf] = {
    # of the network
    "hidden": SIZE,
    "conv": SIZE,
    "dropout": BELOW_1,
    "bins": Range("from 0 to 4096", 0, 4096),
    "embedding": Range("from 0 to 4096", 0, 4096),
    "members": Range("from 1 to 1024", 1, 1024),
    # of the training
    "lr": ABOVE_0,
    "weight_decay": AT_LEAST_0,
    "label_smoothing": BELOW_1,
    "augment.rotation": Range("from 0 to 180", 0, 180),
    "augment.scale": Range("from 0 to 0.9", 0, 0.9),
    "augment.shear": Range("from 0 to 80", 0, 80),
    "augment.shift": Range("from 0 to 1000", 0, 1000),
    "augment.elastic": Range("from 0 to 1000", 0, 1000),
    "augment.flip": PROBABILITY,
    "augment.erase": PROBABILITY,
    # of the task
    "batch_size": SIZE,
    "image_size": Range("from 1 to 512", 1, 512),
    "seed": Range("from 0 to 2**32 - 1", 0, 2**32 - 1),
    # of the Trainer, where it doesn't check itself
    "accumulate_grad_batches": SIZE,
    "check_val_every_n_epoch": AT_LEAST_1,
    "gradient_clip_val": Range("at least 0", 0),
    "log_every_n_steps": AT_LEAST_1,
    "max_epochs": ENDLESS,
    "max_steps": ENDLESS,
    "min_epochs": COUNT,
    "min_steps": COUNT,
    "num_nodes": AT_LEAST_1,
    "num_sanity_val_steps": Range("at least 0, or -1 for all", 0, also=-1),
    # of Lightning's own callbacks and loggers
    "callbacks.decay": PROBABILITY,
    "callbacks.every_n_epochs": AT_LEAST_1,
    "callbacks.every_n_train_steps": AT_LEAST_1,
    "callbacks.min_delta": AT_LEAST_0,
    "callbacks.mode": OneOf(("min", "max")),
    "callbacks.patience": COUNT,
    "callbacks.refresh_rate": COUNT,
    "callbacks.save_top_k": Range("at least 0, or -1 for all", 0, also=-1),
    "callbacks.update_every_n_steps": AT_LEAST_1,
    "callbacks.update_starting_at_epoch": COUNT,
    "callbacks.update_starting_at_step": COUNT,
    "logger.flush_logs_every_n_steps": AT_LEAST_1,
    # of the process
    "threads": Range("from 1 to 1024", 1, 1024),
    # of studies
    "jobs": Range("from 1 to 1024", 1, 1024),
    "trials": Range("from 1 to 1000000", 1, 1_000_000),
    "minutes": ABOVE_0,
    "heartbeat": Range("from 1 to 3600", 1, 3600),
}


def check_ranges(settings: Mapping[str, Any], prefix: str = "") -> None:
    """Check the settings that the table knows; a list's items each.

    Args:
        settings: values by their names. None counts as not set.
        prefix: what the table has in front of the names.

    Raises:
        UsageError: if a value is out of its range.
    """
    for name, value in settings.items():
        allowed = RANGES.get(prefix + name)
        if allowed is None or value is None:
            continue
        if isinstance(value, Sequence) and not isinstance(value, str):
            if not all(item in allowed for item in value):
                raise UsageError(f"--{prefix}{name} {list(value)}: each width must be {allowed.words}")
        elif value not in allowed:
            raise UsageError(f"--{prefix}{name} {value}: must be {allowed.words}")
