"""The picture of a comparison: loss and score over the epochs, as a Vega-Lite chart that becomes SVG and PNG."""

import math
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

from litmlp.outcomes import SCORES, Curve, Outcome, by_label, in_words

# Okabe and Ito's colours (2008), which colour-blind people tell apart, without the yellow that is pale on paper.
DISTINCT = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# Viridis (van der Walt and Smith, 2015) from dark to light, without its palest part: for values with an order.
ORDERED = ("#440154", "#482878", "#3E4A89", "#31688E", "#26828E", "#1F9E89", "#35B779", "#6DCD59", "#9FDA3A")
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left")
WIDTH, HEIGHT = 380, 280  # of a panel, in pixels of the SVG
SCALE = 3  # pixels of the PNG for one of the SVG
STAGES = (("validation", "val"), ("training", "train"))  # the training score would only hide how the others differ
MARKERS = 8  # at most, on a curve
MARGIN = 0.03  # share of an axis that is left empty at an end

Row = dict[str, Any]


def picture(title: str, flag: str, values: dict[str, Any], outcomes: Sequence[Outcome]) -> tuple[str, bytes]:
    """The picture of a comparison as SVG and as PNG.

    Args:
        title: what stands above it.
        flag: the flag that was varied.
        values: its values by their labels.
        outcomes: of every value and seed.
    """
    import vl_convert  # noqa: PLC0415 (an extra, for which reading the flags must not wait)

    chart = spec(title, flag, values, outcomes)
    svg: str = vl_convert.vegalite_to_svg(chart, allowed_base_urls=[])
    png: bytes = vl_convert.vegalite_to_png(chart, scale=SCALE, allowed_base_urls=[])
    return svg, png


def spec(title: str, flag: str, values: dict[str, Any], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The Vega-Lite specification of two panels: a line and a marker of their own for each value."""
    name, factor, _ = SCORES[outcomes[0].score]
    seeds = max(map(len, by_label(outcomes).values()))
    lines = f"mean of {seeds} seeds; validation also of each seed (thin)" if seeds > 1 else ""
    finite = [outcome for outcome in outcomes if not outcome.diverged] or outcomes
    epochs = max(epoch for outcome in outcomes for epoch, _ in outcome.curves["train/loss"])
    x = {"title": "epoch", "axis": {"tickMinStep": 1}, "scale": {"domain": [0, epochs * (1 + MARGIN)], "nice": False}}
    panels = [
        panel(rows(outcomes, "loss", 1), "loss", loss_scale(finite), x),
        panel(rows(outcomes, outcomes[0].score, factor), f"validation {name}", score_scale(finite, factor), x),
    ]
    labels = [in_words(group) for group in by_label(outcomes).values()]
    styles = {
        "color": {"field": "label", "title": flag, "scale": {"domain": labels, "range": colours(values)}},
        "shape": {"field": "label", "title": flag, "scale": {"domain": labels, "range": cycled(SHAPES, len(labels))}},
    }
    for part in panels:
        for layer in part["layer"]:
            layer["encoding"] |= {channel: styles[channel] for channel in layer.pop("styles")}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "background": "white",
        "padding": 12,
        "title": {"text": title, "subtitle": lines, "anchor": "start", "fontSize": 16, "subtitleFontSize": 12},
        "hconcat": panels,
        "resolve": {"legend": dict.fromkeys(("color", "shape", "strokeDash"), "shared")},
        "config": {
            "axis": {"labelFontSize": 12, "titleFontSize": 13, "gridColor": "#E5E5E5", "titleFontWeight": "normal"},
            "legend": {
                "labelFontSize": 12,
                "titleFontSize": 13,
                "symbolSize": 90,
                "symbolOpacity": 1,
                "labelLimit": 260,
            },
        },
    }


def panel(data: list[Row], name: str, scale: dict[str, Any], x: dict[str, Any]) -> dict[str, Any]:
    """One panel: the figure ``name`` over the epochs, with the channels that its layers share in ``styles``."""
    place = {
        "x": {"field": "epoch", "type": "quantitative", **x},
        "y": {"field": "figure", "type": "quantitative", "title": name, "scale": scale},
    }
    dash = {
        "field": "of",
        "title": None,
        "scale": {"domain": ["validation", "training"], "range": [[1, 0], [4, 3]]},
    }
    line = {"type": "line", "clip": True, "invalid": "break-paths-show-domains"}
    return {
        "data": {"values": data},
        "width": WIDTH,
        "height": HEIGHT,
        "layer": [
            {
                "transform": [{"filter": "datum.of == 'seed'"}],
                "mark": {**line, "strokeWidth": 0.8, "opacity": 0.5},
                "encoding": {**place, "detail": {"field": "seed"}},
                "styles": ["color"],
            },
            {
                "transform": [{"filter": "datum.of != 'seed'"}],
                "mark": {**line, "strokeWidth": 1.8},
                "encoding": {**place, "strokeDash": dash},
                "styles": ["color"],
            },
            {
                "transform": [{"filter": "datum.marker"}],
                "mark": {"type": "point", "filled": True, "opacity": 1, "size": 55, "clip": True},
                "encoding": place,
                "styles": ["color", "shape"],
            },
        ],
    }


def rows(outcomes: Sequence[Outcome], name: str, factor: float) -> list[Row]:
    """The points of one panel: each value's mean curves, and each seed's validation."""
    data = []
    for group in by_label(outcomes).values():
        label = in_words(group)
        for of, stage in STAGES if name == "loss" else STAGES[:1]:
            curve = mean_curve([outcome.curves.get(f"{stage}/{name}", []) for outcome in group])
            every = max(1, math.ceil(len(curve) / MARKERS))
            for index, (epoch, figure) in enumerate(curve):
                marker = of == "validation" and (len(curve) - 1 - index) % every == 0
                data.append(point(label, of, epoch, factor * figure) | {"marker": marker})
        if len(group) > 1:
            for outcome in group:
                for epoch, figure in outcome.curves.get(f"val/{name}", []):
                    data.append(point(label, "seed", epoch, factor * figure) | {"seed": outcome.seed})
    return data


def point(label: str, of: str, epoch: float, figure: float) -> Row:
    """One point of a line. A figure that isn't finite breaks the line."""
    return {"label": label, "of": of, "epoch": epoch, "figure": figure if math.isfinite(figure) else None}


def mean_curve(curves: list[Curve]) -> Curve:
    """The mean of several seeds' curves, as far as all of them go."""
    figures: dict[float, list[float]] = {}
    for epoch, figure in (point for curve in curves for point in curve):
        figures.setdefault(epoch, []).append(figure)
    return [(epoch, fmean(found)) for epoch, found in figures.items() if len(found) == len(curves)]


def figures_of(outcomes: Iterable[Outcome], *names: str) -> list[float]:
    """All finite figures of these names."""
    figures = (figure for outcome in outcomes for name in names for _, figure in outcome.curves.get(name, []))
    return [figure for figure in figures if math.isfinite(figure)]


def loss_scale(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The loss's axis, for the losses of fits that didn't diverge: logarithmic, if they span more than a decade."""
    losses = figures_of(outcomes, "train/loss", "val/loss") or [1.0]
    low, high = min(losses), max(losses)
    if 0 < low < high / 10:
        margin = (high / low) ** MARGIN
        return {"type": "log", "domain": [low / margin, high * margin], "nice": False}
    return linear_scale(low, high)


def score_scale(outcomes: Sequence[Outcome], factor: float) -> dict[str, Any]:
    """The score's axis. An R² below 0, worse than the mean of the targets, is cut off, if there are others."""
    name = outcomes[0].score
    scores = figures_of(outcomes, f"val/{name}") or [1.0]
    low, high = min(scores), max(scores)
    return linear_scale(factor * (max(low, 0) if high > 0 else low), factor * high)


def linear_scale(low: float, high: float) -> dict[str, Any]:
    """An axis with a margin, lest it cut markers off."""
    margin = MARGIN * (high - low) or MARGIN
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
    """So many of the items, beginning anew behind the last."""
    return [items[index % len(items)] for index in range(count)]
