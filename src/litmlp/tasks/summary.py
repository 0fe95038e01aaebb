"""What the rows of a split are, summed up while they go by."""

from typing import Any

import numpy
from torch import Tensor

TOGETHER = 64  # rows that are laid side by side: NumPy is fast along long rows only


class Summary:
    """Sums up rows and their targets.

    Args:
        columns: of a row.

    Attributes:
        low: the smallest number of each column, (columns,); infinite where there is none.
        high: the largest, (columns,).
        has_gaps: whether a number is missing, (columns,).
        rows: how many there are.
        total: the sum of the targets.
        squares: that of their squares.
    """

    def __init__(self, columns: int) -> None:
        self.low = numpy.full(columns, numpy.inf, numpy.float32)
        self.high = numpy.full(columns, -numpy.inf, numpy.float32)
        self.has_gaps = numpy.zeros(columns, bool)
        self.rows, self.total, self.squares = 0, 0.0, 0.0

    def add(self, rows: Tensor, targets: Tensor) -> None:
        """Add rows (rows, columns), in which what is missing is NaN, and their targets (rows, …)."""
        if not len(rows):
            return
        values, numbers = rows.numpy(), targets.numpy().astype(numpy.float64).ravel()
        lowest = reduced(numpy.minimum, values)  # (columns,), NaN where one is missing
        self.has_gaps |= numpy.isnan(lowest)
        if numpy.isnan(lowest).any():
            lowest = reduced(numpy.fmin, values)
        self.low = numpy.fmin(self.low, lowest)
        self.high = numpy.fmax(self.high, reduced(numpy.fmax, values))
        self.rows += len(rows)
        self.total += float(numbers.sum())
        self.squares += float(numpy.square(numbers).sum())  # a dot product would use all cores, and wait for them

    def infinite(self) -> list[int]:
        """The columns that have an infinite number."""
        found = (self.low == -numpy.inf) | (self.high == numpy.inf)
        places: list[int] = numpy.flatnonzero(found).tolist()
        return places

    def empty(self) -> list[int]:
        """The columns without a number."""
        places: list[int] = numpy.flatnonzero(self.low > self.high).tolist()
        return places


def reduced(function: Any, rows: Any) -> Any:
    """What a function of two makes of the values (rows, columns) of each column, (columns,)."""
    whole = len(rows) // TOGETHER * TOGETHER
    parts = [rows[whole:]]
    if whole:
        side_by_side = function.reduce(rows[:whole].reshape(whole // TOGETHER, -1))  # (TOGETHER · columns,)
        parts.append(side_by_side.reshape(TOGETHER, -1))
    return function.reduce(numpy.concatenate(parts))
