"""All that a test says of a model's outputs: lines, and charts by name."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from PIL.Image import Image
from torch import Tensor

from litmlp.model.network import Network
from litmlp.studies.charts import confusion_chart
from litmlp.studies.diagrams import calibration_chart, importance_chart, predicted_chart, roc_chart
from litmlp.studies.errors import (
    WORST_IN_GRID,
    caption,
    confusion_matrix,
    errors_chart,
    errors_in_lines,
    largest_errors,
    numbers_text,
    table,
    worst_errors,
)
from litmlp.studies.importance import importance_lines, importance_of
from litmlp.studies.row_texts import row_text
from litmlp.studies.scores import calibration_of, roc_of, score_lines

COLUMNS_NAMED = 4  # of a row in a line
MOST_OUTPUTS = 4  # of a regression that have a chart


class Report(NamedTuple):
    """What a test says.

    Attributes:
        lines: to print, after the metrics.
        charts: by their names.
    """

    lines: list[str]
    charts: dict[str, Image]


def report_of(
    network: Network, samples: Tensor, targets: Tensor, outputs: Tensor, progress: Callable[[int, int], None]
) -> Report:
    """The report of a test.

    Args:
        network: that was tested.
        samples: (samples, *sample_shape).
        targets: class indices (samples,), or values (samples, outputs).
        outputs: logits or values (samples, outputs).
        progress: is called with how many columns' importance is known, and of how many.
    """
    form = network.spec.table
    importance = importance_of(network, samples, targets, progress) if form is not None else None
    place: Callable[[int], str] | None = None
    if form is not None:
        places = importance.order if importance is not None else list(range(len(form.columns)))
        place = partial(row_place, lambda index: row_text(form, samples[index], places[:COLUMNS_NAMED]))
    describe = of_values if network.spec.classes is None else of_classes
    report = describe(network, samples, targets, outputs, place)
    if form is None or importance is None:
        return report
    names = [column.name for column in form.columns]
    ordered = [names[index] for index in importance.order]
    drops = importance.drops[importance.order].tolist()
    chart = importance_chart(ordered, drops, importance.metric)
    return Report([*report.lines, *importance_lines(importance, names)], {**report.charts, "importance": chart})


def row_place(describe: Callable[[int], str], index: int) -> str:
    """A row's values in brackets."""
    return f"({describe(index)})"


def of_values(
    network: Network, samples: Tensor, targets: Tensor, values: Tensor, place: Callable[[int], str] | None
) -> Report:
    """The report of a regression's values (samples, outputs)."""
    lines = largest_errors(targets, values, place or (lambda index: f"at ({numbers_text(samples[index])})"))
    if network.spec.outputs == 1:
        return Report(lines, {"predicted": predicted_chart(values[:, 0], targets[:, 0])})
    shown = zip(values.T[:MOST_OUTPUTS], targets.T, strict=False)
    return Report(lines, {f"predicted_{output}": predicted_chart(*pair) for output, pair in enumerate(shown)})


def of_classes(
    network: Network, samples: Tensor, targets: Tensor, logits: Tensor, place: Callable[[int], str] | None
) -> Report:
    """The report of a classification's logits (samples, classes)."""
    classes = network.spec.classes
    assert classes is not None
    matrix = confusion_matrix(logits.argmax(1), targets, len(classes))
    probabilities = logits.softmax(1)
    worst = worst_errors(probabilities, targets)
    captions = [caption(logits[i], targets[i], classes) for i in worst[:WORST_IN_GRID].tolist()]
    charts = {"confusion": confusion_chart(matrix, classes), **errors_chart(samples[worst], captions)}
    roc = None
    if len(classes) == 2:
        positive, probability = targets == 1, probabilities[:, 1]
        roc = roc_of(logits.double().diff(dim=1)[:, 0], positive)
        charts["calibration"] = calibration_chart(calibration_of(probability, positive), classes[1])
        if roc is not None:
            charts["roc"] = roc_chart(roc, classes[1])
    lines = [*score_lines(matrix, classes, roc), *table(matrix, classes)]
    return Report([*lines, *errors_in_lines(worst.tolist(), captions, place)], charts)
