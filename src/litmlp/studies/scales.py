"""What the metrics and values of a comparison become in its picture: positions, colours and shapes."""

import math
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

from litmlp.studies.outcomes import Outcome

# Okabe and Ito's colours (2008), which colour-blind people tell apart, without the yellow that is pale on paper.
DISTINCT = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# Viridis (van der Walt and Smith, 2015) from dark to light, without its palest part: for values with an order.
ORDERED = ("#440154", "#482878", "#3E4A89", "#31688E", "#26828E", "#1F9E89", "#35B779", "#6DCD59", "#9FDA3A")
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left")
MARGIN = 0.03  # share of an axis that is left empty at an end


def values_of(outcomes: Iterable[Outcome], *names: str) -> list[float]:
    """All finite values of these metrics."""
    found = (value for outcome in outcomes for name in names for _, value in outcome.curves.get(name, []))
    return [value for value in found if math.isfinite(value)]


def loss_scale(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The loss's axis, for the losses of fits that didn't diverge: logarithmic, if they span more than a decade."""
    losses = values_of(outcomes, "train/loss", "val/loss") or [1.0]
    low, high = min(losses), max(losses)
    if 0 < low < high / 10:
        margin = (high / low) ** MARGIN
        return {"type": "log", "domain": [low / margin, high * margin], "nice": False}
    return linear_scale(low, high)


def score_scale(outcomes: Sequence[Outcome], factor: float) -> dict[str, Any]:
    """The score's axis. An R² below 0, worse than the mean of the targets, is cut off, if there are others."""
    name = outcomes[0].score
    scores = values_of(outcomes, f"val/{name}") or [1.0]
    low, high = min(scores), max(scores)
    return linear_scale(factor * (max(low, 0) if high > 0 else low), factor * high)


def epoch_axis(first: float, last: float) -> dict[str, Any]:
    """The channel x: the epochs from the first point on, with room for the markers after the last."""
    span = last - first or 1  # a single point stands where the lines of several end
    return {
        "field": "epoch",
        "type": "quantitative",
        "title": "epoch",
        "axis": {"values": whole_epochs(first, last), "format": "d", "grid": False, "labelFlush": False},
        "scale": {"domain": [last - span, last + MARGIN * span], "nice": False},
    }


def whole_epochs(first: float, last: float) -> list[int]:
    """The first whole epoch and at most 11 round numbers of epochs after it, for the axis."""
    step = next(factor * 10**power for power in range(20) for factor in (1, 2, 5) if last < 11 * factor * 10**power)
    start = math.ceil(first)
    return sorted({start, *range(-(-start // step) * step, math.floor(last) + 1, step)})


def tick_axis(scale: dict[str, Any]) -> dict[str, Any]:
    """The axis of a scale: a logarithmic one gets its ticks, with grid lines at the powers of ten only."""
    if scale["type"] == "linear":
        return {}
    low, high = scale["domain"]
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if high < 1000 * low else (1,)
    ticks = [float(f"{factor}e{power}") for power in powers for factor in factors]
    decades = [float(f"1e{power}") for power in powers]
    return {
        "values": [tick for tick in ticks if low <= tick <= high],
        "format": "~g",
        "gridOpacity": {"condition": {"test": f"indexof({decades}, datum.value) >= 0", "value": 1}, "value": 0},
    }


def position_on(scale: dict[str, Any], metric: float) -> float:
    """Where a metric lies on its axis, from 0 at the low end to 1 at the high end."""
    low, high = map(float, scale["domain"])
    if scale["type"] == "log":
        return math.log(metric / low) / math.log(high / low) if metric > 0 else -math.inf
    return (metric - low) / (high - low)


def metric_at(scale: dict[str, Any], position: float) -> float:
    """The metric at a position on its axis: the inverse of :func:`position_on`."""
    low, high = map(float, scale["domain"])
    return low * math.exp(position * math.log(high / low)) if scale["type"] == "log" else low + (high - low) * position


def spread(positions: Sequence[float], gap: float) -> list[float]:
    """Positions that are at least ``gap`` apart, in the same order, nearest to the given ones in least squares.

    This is an isotonic regression, made by pooling adjacent violators (Ayer et al., 1955).
    """
    order = sorted(range(len(positions)), key=lambda index: positions[index])
    blocks: list[list[float]] = []  # of positions, less a gap for each one below
    for rank, index in enumerate(order):
        blocks.append([positions[index] - rank * gap])
        while len(blocks) > 1 and fmean(blocks[-2]) > fmean(blocks[-1]):
            blocks[-2:] = [[*blocks[-2], *blocks[-1]]]
    means = [fmean(block) for block in blocks for _ in block]
    moved = {index: mean + rank * gap for rank, (index, mean) in enumerate(zip(order, means, strict=True))}
    return [moved[index] for index in range(len(positions))]


def linear_scale(low: float, high: float) -> dict[str, Any]:
    """An axis with a margin, lest it cut markers off."""
    margin = MARGIN * (high - low) or max(abs(high), 1) / 100
    return {"type": "linear", "domain": [low - margin, high + margin], "nice": False, "zero": False}


def colours(values: dict[str, Any]) -> list[str]:
    """A colour for each value: from dark to light where three numbers or more have an order."""
    numbers = [as_number(value) for value in values.values()]
    ordered = sorted(number for number in numbers if number is not None)
    if len(ordered) < max(3, len(values)):
        return cycled(DISTINCT, len(values))
    step = (len(ORDERED) - 1) / (len(ordered) - 1)
    return [ORDERED[round(ordered.index(number) * step)] for number in numbers if number is not None]


def as_number(value: Any) -> float | None:
    """A value as a number, if it is one; YAML takes 1e-3 for a word."""
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None


def cycled(items: Sequence[str], count: int) -> list[str]:
    """So many of the items, beginning again after the last."""
    return [items[index % len(items)] for index in range(count)]
