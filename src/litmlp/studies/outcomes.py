"""What the fits of a comparison came to: their results and curves, and a table of both."""

import math
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean, stdev
from typing import NamedTuple

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from litmlp.errors import Failure
from litmlp.runs import Run

Curve = list[tuple[float, float]]  # (epochs made, value)
SCORES = {"accuracy": ("accuracy (%)", 100, 2), "r2": ("R²", 1, 4)}  # name with unit, factor to it, decimals


class Outcome(NamedTuple):
    """What one fit came to.

    Attributes:
        label: what the varied flag's value is called.
        seed: of the fit.
        parameters: of the model.
        seconds: of training.
        test: the test's metrics by name: ``loss``, and ``accuracy`` or ``r2``.
        curves: the metrics of each epoch by name, ``train/loss`` and so on.
    """

    label: str
    seed: int
    parameters: int
    seconds: float
    test: dict[str, float]
    curves: dict[str, Curve]

    @property
    def score(self) -> str:
        """The name of the metric beside the loss."""
        return next(name for name in SCORES if name in self.test)

    @property
    def diverged(self) -> bool:
        """Whether a loss ended as nan or infinity."""
        ends = [self.curves[name][-1][1] for name in ("train/loss", "val/loss") if name in self.curves]
        return not all(map(math.isfinite, [*ends, self.test["loss"]]))

    @property
    def validation_score(self) -> float | None:
        """The validation score at the lowest validation loss, whose checkpoint was tested; None if there is none."""
        losses, scores = (dict(self.curves.get(f"val/{name}", [])) for name in ("loss", self.score))
        finite = [epoch for epoch, loss in losses.items() if math.isfinite(loss)]
        if not finite:
            return math.nan if losses else None
        return scores[min(finite, key=lambda epoch: losses[epoch])]


def outcome_of(run: Run, label: str, seed: int, parameters: int) -> Outcome:
    """What a complete run came to.

    Raises:
        Failure: if its results or curves aren't there.
    """
    results, curves = run.read_results(), curves_of(run)
    if results is None or len(curves.get("train/loss", [])) < results["epochs"]:
        raise Failure(f"{run.folder} has lost its results or curves: remove it, and the same command fits it again")
    return Outcome(label, seed, parameters, results["seconds"], results["test"], curves)


def curves_of(run: Run) -> dict[str, Curve]:
    """The metrics of each epoch that TensorBoard shows of a run, by name."""
    events = EventAccumulator(str(run.folder), size_guidance={"scalars": 0}).Reload()
    names = [name for name in events.Tags()["scalars"] if name.startswith(("train/", "val/"))]
    if "train/loss" not in names:
        return {}
    steps_per_epoch = events.Scalars("train/loss")[0].step + 1
    return {name: [((e.step + 1) / steps_per_epoch, e.value) for e in events.Scalars(name)] for name in names}


def by_label(outcomes: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    """The outcomes of each value, in their order."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.label, []).append(outcome)
    return groups


def table(flag: str, outcomes: Sequence[Outcome]) -> list[str]:
    """The lines of a Markdown table with a row for each value of the flag."""
    score = outcomes[0].score
    name, factor, decimals = SCORES[score]
    columns: dict[str, Callable[[list[Outcome]], str]] = {
        flag: lambda group: in_words(group).replace("|", r"\|"),
        f"test {name}": lambda group: mean([factor * fit.test[score] for fit in group], decimals),
        "test loss": lambda group: mean([fit.test["loss"] for fit in group], 4),
        f"validation {name}": lambda group: mean(
            [factor * fit.validation_score for fit in group if fit.validation_score is not None], decimals
        ),
        "parameters": lambda group: f"{group[0].parameters:,}",
        "training (s)": lambda group: f"{fmean(fit.seconds for fit in group):.1f}",
    }
    groups = by_label(outcomes).values()
    return markdown([[*columns], *([cell(group) for cell in columns.values()] for group in groups)])


def markdown(rows: list[list[str]]) -> list[str]:
    """The lines of a Markdown table. The first row is its head; all columns but the first hold numbers."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    line = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return [
        f"| {row[0]:{widths[0]}} | "
        + " | ".join(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        + " |"
        for row in (rows[0], line, *rows[1:])
    ]


def in_words(group: list[Outcome]) -> str:
    """What a value is called, with how many of its fits diverged."""
    label, diverged = group[0].label, sum(fit.diverged for fit in group)
    if not diverged:
        return label
    return f"{label} (diverged)" if len(group) == 1 else f"{label} ({diverged} of {len(group)} diverged)"


def mean(values: list[float], decimals: int) -> str:
    """The mean over the seeds and, of several, their std (that of a sample)."""
    if not values:
        return "–"
    if len(values) == 1 or not all(map(math.isfinite, values)):
        return f"{fmean(values):.{decimals}f}"
    return f"{fmean(values):.{decimals}f} ± {stdev(values):.{decimals}f}"
