"""Where a model is wrong: every confusion, the most confident errors of classes, the largest ones of values."""

from collections.abc import Callable, Sequence

import torch
from PIL.Image import Image
from torch import Tensor

from litmlp.studies.charts import captioned_grid

WORST_IN_GRID, WORST_IN_LINES = 10, 5


def confusion_matrix(predictions: Tensor, targets: Tensor, classes: int) -> Tensor:
    """How many samples of class i (row) were taken for class j (column), from two tensors (samples,)."""
    return torch.bincount(targets * classes + predictions, minlength=classes**2).view(classes, classes)


def worst_errors(probabilities: Tensor, targets: Tensor) -> Tensor:
    """The indices (errors,) of wrongly classified samples, the most confident first.

    Args:
        probabilities: (samples, classes).
        targets: (samples,).
    """
    confidence, predictions = probabilities.max(1)  # (samples,), (samples,)
    wrong = (predictions != targets).nonzero().squeeze(1)  # (errors,)
    return wrong[confidence[wrong].argsort(descending=True, stable=True)]


def table(matrix: Tensor, classes: Sequence[str]) -> list[str]:
    """The confusion matrix and the accuracy of every class, as lines."""
    names = max(map(len, classes))
    longest = 80 // len(classes)  # so that the table is about as wide as a terminal
    cells = max(4, len(str(int(matrix.max()))), *(min(len(name), longest) for name in classes))
    header = " ".join(f"{name if len(name) <= cells else name[: cells - 1] + '…':>{cells}}" for name in classes)
    lines = ["", "rows: the truth; columns: what was predicted", f"{'':{names}}  {header}  accuracy"]
    for truth, row in enumerate(matrix.tolist()):
        counts = " ".join(f"{count or '·':>{cells}}" for count in row)
        accuracy = f"{row[truth] / sum(row):8.2%}" if sum(row) else f"{'none':>8}"
        lines.append(f"{classes[truth]:{names}}  {counts}  {accuracy}")
    return lines


def caption(logits: Tensor, target: Tensor, classes: Sequence[str]) -> str:
    """An error's truth, prediction and probability, each on a line, from one sample's logits (classes,)."""
    probability, prediction = logits.softmax(0).max(0)
    return f"{classes[int(target)]},\nnot {classes[int(prediction)]}\n({float(probability):.1%})"


def errors_in_lines(worst: list[int], captions: list[str], place: Callable[[int], str]) -> list[str]:
    """How many errors there are, and the most confident of them, each on a line.

    Args:
        worst: the samples' indices.
        captions: of the first of them.
        place: says which sample it is, by its index.
    """
    texts = [text.replace("\n", " ") for text in captions[:WORST_IN_LINES]]
    lines = [f"  {place(index)}: {text}" for index, text in zip(worst, texts, strict=False)]
    title = ", the most confident of them (truth, not prediction):" if worst else ""
    return ["", f"{len(worst)} error{'' if len(worst) == 1 else 's'}{title}", *lines]


def largest_errors(targets: Tensor, predictions: Tensor, place: Callable[[int], str]) -> list[str]:
    """The samples whose values (samples, outputs) are predicted worst, each on a line that begins with ``place``."""
    errors = (predictions - targets).abs().amax(1)  # (samples,)
    lines = []
    for index in errors.argsort(descending=True)[:WORST_IN_LINES].tolist():
        truth, value = numbers_text(targets[index]), numbers_text(predictions[index])
        lines.append(f"  {place(index)}: {truth}, not {value}")
    return ["", "the largest errors (truth, not prediction):", *lines]


def numbers_text(numbers: Tensor) -> str:
    """Numbers with commas between them: 0.1235, 341699, 1.2e+09."""
    return ", ".join(
        f"{number:.0f}" if 1e4 <= abs(number) < 1e9 else f"{number:.4g}" for number in numbers.flatten().tolist()
    )


def errors_chart(worst: Tensor, captions: list[str]) -> dict[str, Image]:
    """The worst errors (errors, *sample_shape) with their captions, where samples are images and there are any."""
    if worst.dim() != 4 or worst.shape[1] not in (1, 3) or not captions:
        return {}
    return {"worst_errors": captioned_grid(worst[: len(captions)], captions)}
