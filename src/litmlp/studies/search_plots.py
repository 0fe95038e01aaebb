"""The picture of a search: how it went, which flags mattered and how, and whether the test agrees."""

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from statistics import median
from typing import Any

from litmlp.studies.history import Tried
from litmlp.studies.outcomes import SCORES
from litmlp.studies.plots import CONFIG, WIDTH
from litmlp.studies.scales import DISTINCT, MARGIN, tick_axis
from litmlp.studies.space import Interval, Space
from litmlp.studies.values import as_text

HEIGHT = 220  # of a panel, in pixels of the SVG
CUT = 4  # times the distance from the median to the best, below which points are cut off
POINT = {"type": "point", "filled": True, "size": 40, "opacity": 0.7, "clip": True, "color": DISTINCT[0]}
BEST = {"type": "line", "interpolate": "step-after", "clip": True, "color": DISTINCT[1]}
DIAGONAL = {"type": "line", "clip": True, "color": "#999999"}

Panel = dict[str, Any]


def search_spec(
    title: str, score: str, tried: Sequence[Tried], stopped: int, shares: Mapping[str, float], space: Space
) -> dict[str, Any]:
    """The Vega-Lite specification of the picture.

    Args:
        title: what stands above it.
        score: the metric that was maximised.
        tried: the complete trials, in the order in which they ended; at least one that didn't diverge.
        stopped: how many were stopped.
        shares: the importance of each flag.
        space: that settings were drawn from.
    """
    name, factor, _ = SCORES[score]
    data = rows([trial for trial in tried if math.isfinite(trial.score)], factor, space)
    y = axis("score", f"validation {name}", scale_of([row["score"] for row in data]))
    panels = [
        progress("trial", "trial", y, "best by number"),
        progress("minutes", "minutes since the first trial began", y, "best"),
        *([bars(shares)] if shares else []),
        against_test(name, [row["test"] for row in data], y),
        *(part(flag, space, y) for flag in space),
    ]
    subtitle = f"{len(tried)} complete trials, {stopped} stopped; points far below the others are cut off"
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "background": "white",
        "padding": 12,
        "title": {"text": title, "subtitle": subtitle},
        "data": {"values": data},
        "concat": [{"width": WIDTH, "height": HEIGHT, **panel} for panel in panels],
        "columns": 2,
        "config": CONFIG,
    }


def rows(tried: Sequence[Tried], factor: float, space: Space) -> list[dict[str, Any]]:
    """The trials as the panels' data.

    Args:
        tried: in the order in which they ended.
        factor: from the score to its unit.
        space: that settings were drawn from.
    """
    best, best_by_number = best_so_far(tried), best_so_far(sorted(tried, key=lambda trial: trial.number))
    return [
        {
            "trial": trial.number,
            "minutes": trial.ended / 60,
            "score": factor * trial.score,
            "test": factor * trial.test,
            "best": factor * best[trial.number],
            "best by number": factor * best_by_number[trial.number],
            **{
                field_of(flag): value if isinstance(space[flag], Interval) else as_text(value)
                for flag, value in trial.settings.items()
            },
        }
        for trial in tried
    ]


def field_of(flag: str) -> str:
    """A flag as the name of a field, where a dot would mean a field in a field."""
    return f"--{flag}".replace(".", "_")


def scale_of(values: Sequence[float]) -> dict[str, Any]:
    """A linear axis for these values, without those that are far below the others."""
    high, middle = max(values), median(values)
    low = max(min(values), middle - CUT * (high - middle)) if high > middle else min(values)
    margin = MARGIN * (high - low) or max(abs(high), 1) / 100
    return {"domain": [low - margin, high + margin], "nice": False, "zero": False}


def axis(field: str, title: str, scale: dict[str, Any]) -> dict[str, Any]:
    """A channel of numbers."""
    return {"field": field, "type": "quantitative", "title": title, "scale": scale}


def best_so_far(trials: Sequence[Tried]) -> dict[int, float]:
    """The best score after each trial, by its number."""
    best = accumulate((trial.score for trial in trials), max)
    return {trial.number: score for trial, score in zip(trials, best, strict=True)}


def progress(field: str, title: str, y: dict[str, Any], best: str) -> Panel:
    """The score of each trial, and the best so far."""
    x = axis(field, title, {"zero": False})
    return {
        "layer": [
            {"mark": POINT, "encoding": {"x": x, "y": y}},
            {"mark": BEST, "encoding": {"x": x, "y": {**y, "field": best}}},
        ]
    }


def bars(shares: Mapping[str, float]) -> Panel:
    """The importance of each flag."""
    return {
        "data": {"values": [{"flag": f"--{flag}", "share": share} for flag, share in shares.items()]},
        "mark": {"type": "bar", "color": DISTINCT[0]},
        "encoding": {
            "x": axis("share", "importance", {"domain": [0, 1]}),
            "y": {"field": "flag", "type": "nominal", "title": None, "sort": None},
        },
    }


def against_test(name: str, tests: Sequence[float], y: dict[str, Any]) -> Panel:
    """The validation score against that of the test, and the line on which both are the same."""
    low, high = y["scale"]["domain"]
    x = axis("test", f"test {name}", scale_of(tests))
    ends = [{"score": end, "test": end} for end in (low, high)]
    return {
        "layer": [
            {"data": {"values": ends}, "mark": DIAGONAL, "encoding": {"x": x, "y": y}},
            {"mark": POINT, "encoding": {"x": x, "y": y}},
        ]
    }


def part(flag: str, space: Space, y: dict[str, Any]) -> Panel:
    """The score of each trial at its value of one flag."""
    values = space[flag]
    if isinstance(values, Interval):
        kind = {"type": "log"} if values.log else {"type": "linear", "zero": False}
        scale = {**kind, "nice": False, "domain": [values.low, values.high]}
        x = axis(field_of(flag), f"--{flag}", scale) | {"axis": tick_axis(scale)}
    else:
        order = [as_text(value) for value in values.values.values()]
        x = {"field": field_of(flag), "type": "nominal", "title": f"--{flag}", "sort": order, "axis": {"labelAngle": 0}}
    return {"mark": POINT, "encoding": {"x": x, "y": y}}
