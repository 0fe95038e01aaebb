"""The table: medians over the rounds, their ratios, and whether these are what was targeted."""

from statistics import median
from typing import NamedTuple

from benchmarks.candidate import Measurement

HEADER = """\
| what | value | over | ratio (lowest – highest round) | target | reached | test accuracy, % |
|---|---|---|---|---|---|---|"""


class Row(NamedTuple):
    """One comparison of two candidates.

    Attributes:
        above: the name of the candidate that is divided.
        below: the name of the candidate that it is divided by.
        metric: the field of Measurement that is compared.
        at_most: the highest ratio (or difference) targeted.
        at_least: the lowest one targeted.
        difference: subtract instead of dividing.
    """

    above: str
    below: str
    metric: str
    at_most: float | None = None
    at_least: float | None = None
    difference: bool = False


UNITS = {"epoch": "s an epoch", "seconds": "s", "peak": "MB"}


def line(row: Row, measured: dict[str, list[Measurement]]) -> str:
    """The row as a line of a Markdown table; a candidate that wasn't measured makes it say so."""
    what = f"{row.above} {'−' if row.difference else '/'} {row.below}"
    missing = [name for name in (row.above, row.below) if name not in measured]
    if missing:
        return f"| {what} | | | not measured | {target(row)} | | |"
    above, below = values(measured[row.above], row.metric), values(measured[row.below], row.metric)
    result = compare(median(above), median(below), row.difference)
    rounds = [compare(a, b, row.difference) for a, b in zip(above, below, strict=True)]
    digits = 0 if row.difference else 2
    cells = [
        what,
        f"{median(above):.{digits}f} {UNITS[row.metric]}",
        f"{median(below):.{digits}f}",
        f"**{result:.{digits}f}** ({min(rounds):.{digits}f} – {max(rounds):.{digits}f})",
        target(row),
        reached(row, result),
        accuracies(measured[row.above], measured[row.below]),
    ]
    return f"| {' | '.join(cells)} |"


def values(measurements: list[Measurement], metric: str) -> list[float]:
    """One value of each round."""
    return [float(getattr(measurement, metric)) for measurement in measurements]


def compare(above: float, below: float, difference: bool) -> float:
    """The ratio or the difference."""
    return above - below if difference else above / below


def target(row: Row) -> str:
    """What is targeted."""
    if row.at_most is not None:
        return f"≤ {row.at_most:.3g}"
    return "" if row.at_least is None else f"≥ {row.at_least:.3g}"


def reached(row: Row, result: float) -> str:
    """Whether it is reached."""
    if row.at_most is None and row.at_least is None:
        return ""
    above_the_least = row.at_least is None or result >= row.at_least
    below_the_most = row.at_most is None or result <= row.at_most
    return "yes" if above_the_least and below_the_most else "**no**"


def accuracies(above: list[Measurement], below: list[Measurement]) -> str:
    """The median test accuracies of both in percent, with the lowest; the same weights need no second test."""
    weights_above, weights_below = [m.weights for m in above], [m.weights for m in below]
    if weights_above == weights_below and None not in weights_above and above[0].accuracy is not None:
        return f"{accuracy(above)}; same weights"
    return "; ".join(text for text in (accuracy(above), accuracy(below)) if text)


def accuracy(measurements: list[Measurement]) -> str:
    """The median test accuracy in percent, with the lowest; an empty text without one."""
    values = [100 * measurement.accuracy for measurement in measurements if measurement.accuracy is not None]
    return f"{median(values):.2f} (≥ {min(values):.2f})" if values else ""
