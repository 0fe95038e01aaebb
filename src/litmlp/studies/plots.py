"""The picture of a comparison: loss and score over the epochs, as a Vega-Lite chart that becomes SVG and PNG."""

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from litmlp.studies.outcomes import SCORES, Curve, Outcome, by_label, in_words
from litmlp.studies.scales import MARGIN, SHAPES, colours, cycled, loss_scale, score_scale, whole_epochs

WIDTH, HEIGHT = 380, 280  # of a panel, in pixels of the SVG
SCALE = 3  # pixels of the PNG for one of the SVG
STAGES = (("validation", "val"), ("training", "train"))  # the training score would only hide how the others differ
MARKERS = 8  # at most, on a curve

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
    x = {
        "title": "epoch",
        "axis": {"values": whole_epochs(epochs)},
        "scale": {"domain": [0, epochs * (1 + MARGIN)], "nice": False},
    }
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
