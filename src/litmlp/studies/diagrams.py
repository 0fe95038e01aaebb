"""Charts of a test: predicted against true values, the ROC curve, the calibration, the importance of columns."""

import math
from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor

from litmlp.studies.axes import GREY, SIDE, THICK, Plane, padded
from litmlp.studies.charts import BLUE, GAP, INK, LINE, NOT_IN_FONT, PAPER, RED, shortened, width_of, write
from litmlp.studies.scores import Calibration, Roc

CELL = 8  # pixels of a bin of points
PALEST = 0.45  # shade of a bin with a single point
RADIUS = 9  # pixels of a dot
MOST_BARS = 20
SMALLEST = 1e-4  # drop of a metric that is seen
BAR_ROW, BAR = 29, 380  # pixels: of a bar with what is beside it, and of the longest bar
UNIT: tuple[float, float] = (0.0, 1.0)


def predicted_chart(predictions: Tensor, targets: Tensor) -> Image.Image:
    """Predicted values (samples,) above true ones (samples,), counted in bins: the darker, the more there are.

    On the diagonal predictions are right. Both axes have the same range, in which every finite pair lies.
    """
    finite = predictions.isfinite() & targets.isfinite()
    pairs = torch.stack([targets[finite], predictions[finite]]).double()  # (2, samples)
    low, high = (float(pairs.min()), float(pairs.max())) if pairs.numel() else UNIT
    bounds = padded(low, high)
    plane = Plane(("true", "predicted"), bounds, bounds)
    cells = SIDE // CELL
    places = ((pairs - bounds[0]) * (cells / (bounds[1] - bounds[0]))).long()  # (2, samples)
    counts = torch.bincount(places[1] * cells + places[0], minlength=cells**2).view(cells, cells)  # (up, to the right)
    shades = PALEST + (1 - PALEST) * counts.log() / math.log(max(2, int(counts.max())))  # -inf of an empty bin
    pixels = (shades.clamp(min=0) * 255).round().byte().flip(0)
    image = Image.fromarray(pixels.numpy()).resize((SIDE, SIDE), Image.Resampling.NEAREST)
    plane.chart.paste(BLUE, (plane.left, plane.top), image)
    plane.line([(bounds[0], bounds[0]), (bounds[1], bounds[1])], INK, THICK // 2)
    return plane.chart


def roc_chart(roc: Roc, positive: str) -> Image.Image:
    """The ROC curve with its area.

    Args:
        roc: the curve.
        positive: name of the class that is looked for.
    """
    plane = Plane(("false positive rate", "true positive rate"), UNIT, UNIT)
    plane.line([(0, 0), (1, 1)], GREY, THICK // 2)
    plane.line(list(zip(roc.false_positives.tolist(), roc.true_positives.tolist(), strict=True)), BLUE, THICK + 2)
    x, y = plane.at((1, 0))
    for row, text in enumerate([f"AUC {roc.area:.4f}", f"class {shortened(positive)}"]):
        write(plane.chart, text, (x - 2 * GAP, y - 2 * LINE - LINE // 2 + LINE * row), right=True)
    return plane.chart


def calibration_chart(calibration: Calibration, positive: str) -> Image.Image:
    """How often a class was there where it was predicted with a probability, in bins, with their counts below.

    Args:
        calibration: the bins.
        positive: name of the class.
    """
    titles = f"predicted probability of {shortened(positive)}", "observed frequency"
    plane = Plane(titles, UNIT, UNIT, below=LINE)
    plane.line([(0, 0), (1, 1)], GREY, THICK // 2)
    known = [index for index, count in enumerate(calibration.counts.tolist()) if count]
    points = [(float(calibration.predicted[index]), float(calibration.observed[index])) for index in known]
    plane.line(points, BLUE)
    for point in points:
        plane.dot(point, BLUE, RADIUS)
    bins = len(calibration.counts)
    for index, count in enumerate(calibration.counts.tolist()):
        x, y = plane.at(((index + 0.5) / bins, 0))
        write(plane.chart, count_text(count), (x, y + LINE + LINE // 2), GREY if index % 2 else INK)
    write(plane.chart, "n", (plane.left // 2 + LINE // 2, plane.at((0, 0))[1] + LINE + LINE // 2))
    return plane.chart


def count_text(count: int) -> str:
    """A count in at most four characters: 999, 1.2k, 12k, 1.2M."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if count >= 0.9995 * size:
            return f"{count / size:.{1 if count < 9.95 * size else 0}f}{letter}"
    return str(count)


def importance_chart(names: Sequence[str], drops: Sequence[float], metric: str) -> Image.Image:
    """Bars of how much the metric falls when a column is shuffled, of the 20 first; red where it rises.

    Args:
        names: of the columns, the most important first.
        drops: of the metric, one for each column.
        metric: its name.
    """
    texts, drops = [shortened(name) for name in names[:MOST_BARS]], drops[:MOST_BARS]
    left = max(map(width_of, texts)) + 2 * GAP
    values = [f"{drop:z.4f}" for drop in drops]
    title = f"{metric} lost when the column is shuffled".translate(NOT_IN_FONT)
    width = max(left + BAR + 2 * GAP + max(map(width_of, values)), width_of(title) + GAP)
    chart = Image.new("RGB", (width, LINE + GAP + BAR_ROW * len(texts)), PAPER)
    write(chart, title, (width // 2, LINE // 2))
    longest = max(*(abs(drop) for drop in drops), SMALLEST)
    for row, (text, drop, value) in enumerate(zip(texts, drops, values, strict=True)):
        top = LINE + GAP // 2 + BAR_ROW * row
        write(chart, text, (left - GAP, top + BAR_ROW // 2), right=True)
        length = round(BAR * abs(drop) / longest)
        chart.paste(BLUE if drop >= 0 else RED, (left, top + 4, left + length, top + BAR_ROW - 4))
        write(chart, value, (left + length + GAP + width_of(value) // 2, top + BAR_ROW // 2))
    return chart
