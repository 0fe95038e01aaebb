"""The picture of a comparison: loss and score over the epochs, as a Vega-Lite chart that becomes SVG and PNG."""

import math
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean
from typing import Any

from litmlp.studies.outcomes import SCORES, Curve, Outcome, by_label, in_words
from litmlp.studies.scales import (
    SHAPES,
    colours,
    cycled,
    epoch_axis,
    loss_scale,
    metric_at,
    position_on,
    score_scale,
    spread,
    tick_axis,
)

WIDTH, HEIGHT = 380, 280  # of a panel, in pixels of the SVG
SCALE = 3  # pixels of the PNG for one of the SVG
STAGES = (("validation", "val"), ("training", "train"))  # the training score would only hide how the others differ
LABEL_HEIGHT, LABEL_SHIFT = 15, 45  # pixels: between the labels at the lines' ends, and from a label to its line
LONGEST_LABEL = 24  # characters
CONFIG = {
    "axis": {"labelFontSize": 12, "titleFontSize": 13, "gridColor": "#E5E5E5", "titleFontWeight": "normal"},
    "title": {"anchor": "start", "fontSize": 16, "subtitleFontSize": 12, "subtitlePadding": 5, "offset": 12},
    "legend": {"labelFontSize": 12, "titleFontSize": 13, "symbolSize": 90, "symbolOpacity": 1, "labelLimit": 260},
    "concat": {"spacing": 32},
}

Row = dict[str, Any]
Channels = dict[str, dict[str, Any]]


def picture(title: str, flag: str, values: dict[str, Any], outcomes: Sequence[Outcome]) -> tuple[str, bytes]:
    """The picture of a comparison as SVG and as PNG.

    Args:
        title: what stands above it.
        flag: the flag that was varied.
        values: its values by their labels.
        outcomes: of every value and seed.
    """
    return drawn(spec(title, flag, values, outcomes))


def drawn(chart: dict[str, Any]) -> tuple[str, bytes]:
    """A Vega-Lite specification as SVG and as PNG."""
    import vl_convert  # noqa: PLC0415 (an extra, for which reading the flags must not wait)

    svg: str = vl_convert.vegalite_to_svg(chart, allowed_base_urls=[])
    png: bytes = vl_convert.vegalite_to_png(chart, scale=SCALE, allowed_base_urls=[])
    return svg, png


def spec(title: str, flag: str, values: dict[str, Any], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The Vega-Lite specification of two panels: for each value the mean of its seeds, and the band that they span.

    The lines are labelled at their ends, or in a legend where the labels wouldn't fit there.
    """
    name, factor, _ = SCORES[outcomes[0].score]
    groups = by_label(outcomes).values()
    labels, seeds = [in_words(group) for group in groups], max(map(len, groups))
    finite = [outcome for outcome in outcomes if not outcome.diverged] or outcomes
    names, scales = ("loss", f"validation {name}"), (loss_scale(finite), score_scale(finite, factor))
    data = rows(outcomes, "loss", 1), rows(outcomes, outcomes[0].score, factor)
    epochs = [row["epoch"] for points in data for row in points]
    ends = [labels_at_ends(points, labels, scale, max(epochs)) for points, scale in zip(data, scales, strict=True)]
    legend = {"legend": None} if all(ends) else {}
    styles: Channels = {
        channel: {"field": "label", "title": flag, "scale": {"domain": labels, "range": looks}, **legend}
        for channel, looks in (("color", colours(values)), ("shape", cycled(SHAPES, len(labels))))
    }
    x = epoch_axis(min(epochs), max(epochs))
    subtitle = "solid: validation, dashed: training"
    if seeds > 1:
        subtitle += f"; lines: mean of {seeds} seeds, bands: lowest to highest seed"
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "background": "white",
        "padding": 12,
        "title": {"text": title, "subtitle": subtitle},
        "hconcat": [
            panel(points + (end if legend else []), name, scale, x, styles)
            for points, end, name, scale in zip(data, ends, names, scales, strict=True)
        ],
        "resolve": {"legend": dict.fromkeys(styles, "shared")},
        "config": CONFIG,
    }


def panel(data: list[Row], name: str, scale: dict[str, Any], x: dict[str, Any], styles: Channels) -> dict[str, Any]:
    """One panel: the metric ``name`` over the epochs.

    Args:
        data: the points of all lines and bands, and the labels at the lines' ends.
        name: what stands beside its axis.
        scale: of the metric.
        x: the channel of the epochs.
        styles: the channels that tell the values apart.
    """
    metric = {"field": "metric", "type": "quantitative", "title": name, "scale": scale, "axis": tick_axis(scale)}
    line = {"type": "line", "clip": True, "invalid": "break-paths-show-domains"}
    color, label_y, edge = {"color": styles["color"]}, {"field": "label_y"}, {"value": WIDTH}
    layers: list[tuple[str, Row, Channels]] = [
        ("band", {**line, "type": "area", "opacity": 0.2}, {"y2": {"field": "high"}, **color}),
        ("training", {**line, "strokeWidth": 1.2, "strokeDash": [4, 3]}, color),
        ("validation", {**line, "strokeWidth": 2}, color),
        ("label", {"type": "rule"}, {"x2": edge, "y2": label_y, **color}),
        ("end", {"type": "point", "filled": True, "opacity": 1, "size": 55, "clip": True}, styles),
        (
            "label",
            {"type": "text", "align": "left", "dx": 4, "fontSize": 12},
            {"x": edge, "y": metric | label_y, "text": {"field": "label"}},
        ),
    ]
    return {
        "data": {"values": data},
        "width": WIDTH,
        "height": HEIGHT,
        "layer": [
            {
                "transform": [{"filter": f"datum.of == '{of}'"}],
                "mark": mark,
                "encoding": {"x": x, "y": metric, **encoding},
            }
            for of, mark, encoding in layers
        ],
    }


def rows(outcomes: Sequence[Outcome], name: str, factor: float) -> list[Row]:
    """The points of one panel: of each value's mean curves, of the band of its seeds, and of the line's end."""
    data: list[Row] = []
    for group in by_label(outcomes).values():
        for of, stage in STAGES if name == "loss" else STAGES[:1]:
            curves = [outcome.curves.get(f"{stage}/{name}", []) for outcome in group]
            means, lows, highs = (seeds_curve(curves, of_seeds, factor) for of_seeds in (fmean, min, max))
            line = [{"label": in_words(group), "of": of, "epoch": epoch, "metric": mean} for epoch, mean in means]
            data += line
            if of == "validation":
                data += [point | {"of": "end"} for point in line if point["metric"] is not None][-1:]
                if len(group) > 1:
                    bounds = zip(line, lows, highs, strict=True)
                    data += [
                        point | {"of": "band", "metric": low, "high": high} for point, (_, low), (_, high) in bounds
                    ]
    return data


def seeds_curve(
    curves: Sequence[Curve], of_seeds: Callable[[Iterable[float]], float], factor: float = 1
) -> list[tuple[float, float | None]]:
    """The mean, or another function, of several seeds' curves, as far as all of them go.

    Where one of them isn't finite, it is None, which breaks the line.
    """
    found: dict[float, list[float]] = {}
    for epoch, metric in (point for curve in curves for point in curve):
        found.setdefault(epoch, []).append(metric)
    return [
        (epoch, factor * of_seeds(metrics) if all(map(math.isfinite, metrics)) else None)
        for epoch, metrics in found.items()
        if len(metrics) == len(curves)
    ]


def labels_at_ends(data: list[Row], labels: list[str], scale: dict[str, Any], last: float) -> list[Row]:
    """The labels at the lines' ends, moved apart; none at all where one of them would be far from its line.

    Args:
        data: the points of the panel.
        labels: of the values.
        scale: of the metric.
        last: the epoch at which lines have to end.
    """
    ends = [row for row in data if row["of"] == "end" and row["epoch"] == last]
    heights = [HEIGHT * position_on(scale, row["metric"]) for row in ends]
    in_view = all(0 <= height <= HEIGHT for height in heights)
    if len(ends) < len(labels) or not in_view or max(map(len, labels)) > LONGEST_LABEL:
        return []
    moved = spread(heights, LABEL_HEIGHT)
    if max(abs(new - old) for new, old in zip(moved, heights, strict=True)) > LABEL_SHIFT:
        return []
    places = [metric_at(scale, height / HEIGHT) for height in moved]
    return [row | {"of": "label", "label_y": place} for row, place in zip(ends, places, strict=True)]
