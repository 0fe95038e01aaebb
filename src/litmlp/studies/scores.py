"""What a test says of a classification besides its accuracy: ROC, calibration, the accuracy of every class alike."""

from typing import NamedTuple

import torch
from torch import Tensor

BINS = 10  # of the predicted probabilities
SKEWED = 1.5  # times its equal share that the largest class has of an imbalanced test set


class Roc(NamedTuple):
    """The ROC curve: what rates there are at each threshold of the score.

    Attributes:
        false_positives: the fraction of the others that is taken for the class, (thresholds,), from 0 to 1.
        true_positives: the fraction of the class that is found, (thresholds,), from 0 to 1.
        area: below the curve, the AUC.
    """

    false_positives: Tensor
    true_positives: Tensor
    area: float


class Calibration(NamedTuple):
    """Samples in bins of their predicted probability.

    Attributes:
        counts: of samples, (bins,).
        predicted: their mean probability, (bins,); NaN where there is none.
        observed: the fraction that is of the class, (bins,); NaN where there is none.
    """

    counts: Tensor
    predicted: Tensor
    observed: Tensor


def roc_of(scores: Tensor, positive: Tensor) -> Roc | None:
    """The ROC curve of scores (samples,), and of which samples are of the class (samples,); None if all or none are.

    Samples of equal scores make one step, so that half of their pairs count as in the right order.
    """
    found = int(positive.sum())
    if found in (0, len(positive)):
        return None
    order = scores.argsort(descending=True)
    hits, ranked = positive[order].double().cumsum(0), scores[order]
    ends = torch.cat([ranked[1:] != ranked[:-1], torch.ones(1, dtype=torch.bool)])  # the last of equal scores
    places = torch.arange(1, len(scores) + 1)[ends]
    start = torch.zeros(1, dtype=torch.float64)
    true_positives = torch.cat([start, hits[ends] / found])
    false_positives = torch.cat([start, (places - hits[ends]) / (len(positive) - found)])
    return Roc(false_positives, true_positives, float(torch.trapezoid(true_positives, false_positives)))


def calibration_of(probabilities: Tensor, positive: Tensor) -> Calibration:
    """How well probabilities (samples,) agree with which samples are of the class (samples,), in ten equal bins.

    Probabilities that aren't finite are in none.
    """
    finite = probabilities.isfinite()
    probabilities, positive = probabilities[finite], positive[finite]
    places = (probabilities.double() * BINS).long().clamp(0, BINS - 1)
    counts, predicted, observed = (
        torch.bincount(places, weights, minlength=BINS) for weights in (None, probabilities.double(), positive.double())
    )
    return Calibration(counts, predicted / counts, observed / counts)


def balanced_accuracy(matrix: Tensor) -> float:
    """The mean recall of the classes that there are, from a confusion matrix (classes, classes)."""
    totals = matrix.sum(1)
    return float((matrix.diag()[totals > 0] / totals[totals > 0]).mean())


def score_lines(matrix: Tensor, classes: tuple[str, ...], roc: Roc | None) -> list[str]:
    """The AUC of two classes; where there are two, or they are imbalanced, the balanced accuracy and the base rate.

    Args:
        matrix: how many samples of class i (row) were taken for class j (column), (classes, classes).
        classes: their names.
        roc: of two classes, the curve.
    """
    totals = matrix.sum(1)
    most = int(totals.argmax())
    share = float(totals[most] / totals.sum())
    lines = [] if roc is None else [f"test/{'auc':<10} {roc.area:#.4g}"]
    if len(classes) == 2 or share * len(classes) > SKEWED:
        lines += [
            f"test/balanced_accuracy {balanced_accuracy(matrix):#.4g}",
            f"base rate        {share:#.4g}, always {classes[most]}",
        ]
    return lines
