"""What a table's task says before the training: what it found, what stands out, and what has to be beaten."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from litmlp.model.columns import Column
from litmlp.model.network import Network
from litmlp.model.spec import Settings, Spec
from litmlp.model.statistics import statistics_of
from litmlp.tasks.kinds import Kind
from litmlp.tasks.linear import fit_linear
from litmlp.tasks.target import Target, class_counts

GIVES_AWAY = 0.999  # accuracy, or the absolute correlation, of one column alone
RARE_CLASS = 0.1  # fraction of the rows, below which the balanced accuracy is shown as well


class Findings(NamedTuple):
    """Lines for people.

    Attributes:
        notes: about the files.
        columns: what each column was taken for, and why.
        remarks: what stands out, and what has to be beaten.
    """

    notes: list[str] = []  # noqa: RUF012 (never changed)
    columns: list[str] = []  # noqa: RUF012
    remarks: list[str] = []  # noqa: RUF012

    def lines(self) -> list[str]:
        """All of them, in order."""
        return [*self.notes, *self.columns, *self.remarks]

    def with_notes(self, notes: list[str]) -> "Findings":
        """With more notes."""
        return self._replace(notes=[*self.notes, *notes])

    def with_lines(self, *parts: list[str]) -> "Findings":
        """With more remarks."""
        return self._replace(remarks=[*self.remarks, *(line for part in parts for line in part)])

    def of_columns(self, kinds: Sequence[Kind], dropped: Mapping[str, str], target: Target) -> "Findings":
        """With what the columns were taken for."""
        width = min(30, max(len(kind.name) for kind in (*kinds, target.kind)))
        lines = [f"target           {target.kind.name:{width}}  {target.kind.why}"]
        out = []
        for kind in kinds:
            reason = dropped.get(kind.name) or (kind.why if kind.kind == "ignore" else None)
            if reason:
                out.append(f"left out         {shown(kind.name):{width}}  {reason}")
            else:
                lines.append(f"{kind.kind:<15}  {shown(kind.name):{width}}  {kind.why}")
        return self._replace(columns=[*lines, *out])


def shown(name: str) -> str:
    """A name as a terminal can show it."""
    return name if name.isprintable() else ascii(name)


def hints(columns: Sequence[Column], rows: Tensor, targets: Tensor, classes: Sequence[str] | None) -> list[str]:
    """Warnings about training rows (rows, columns) and their targets: a column that gives the target away."""
    lines = []
    for place, column in enumerate(columns):
        if classes is None:
            strength = correlation(rows[:, place], targets[:, 0]) if column.kind != "category" else 0.0
        else:
            strength = accuracy_alone(column, rows[:, place], targets, len(classes))
        if strength >= GIVES_AWAY:
            lines.append(
                f"note: {column.name} alone nearly gives the target away: if it isn't known when you predict,"
                f" leave it out, with --columns '{{{column.name}: ignore}}'"
            )
    return lines


def correlation(values: Tensor, targets: Tensor) -> float:
    """The absolute correlation of two tensors (rows,), without rows where the first is NaN."""
    known = ~values.isnan()
    if known.sum() < 10:
        return 0.0
    return abs(float(torch.corrcoef(torch.stack([values[known].double(), targets[known].double()])).nan_to_num()[0, 1]))


def accuracy_alone(column: Column, values: Tensor, targets: Tensor, classes: int) -> float:
    """How often the most frequent class of a value (rows,), or of one of 32 ranges of values, is the target (rows,).

    0 if always answering one class were as good.
    """
    if column.kind == "category":
        codes = values.nan_to_num(nan=len(column.categories) + 1).long()
    else:
        edges = torch.linspace(column.low, column.high, 33)[1:-1]
        codes = torch.bucketize(values.nan_to_num(nan=torch.inf), edges)
    groups = int(codes.max()) + 1
    if groups > len(values) // 10:
        return 0.0
    pairs, counts = (codes * classes + targets).unique(return_counts=True)
    most = counts.new_zeros(groups).scatter_reduce(0, pairs // classes, counts, "amax")  # (groups,)
    base = float(class_counts(targets, classes).max()) / len(values)
    accuracy = float(most.sum()) / len(values)
    return accuracy if base < GIVES_AWAY - 0.01 else 0.0


def mark_to_beat(spec: Spec, splits: Mapping[str, tuple[Tensor, Tensor]]) -> list[str]:
    """How well always answering the same, and a linear model, do on the validation rows."""
    rows, targets = splits["val"]
    train = splits["train"]
    linear = fit_linear(encoder_for(spec, *train), *train)
    if spec.classes is None:
        base = (targets - train[1].mean(0)).square().mean().sqrt()
        error = (linear(rows) - targets).square().mean().sqrt()
        return [
            f"to beat          the mean: val/rmse {float(base):#.4g};"
            f" a linear model: val/rmse {float(error):#.4g}, val/r2 {1 - float(error / base) ** 2:#.4g}"
        ]
    counts = class_counts(train[1], len(spec.classes))
    most = int(counts.argmax())
    base = (targets == most).float().mean()
    accuracy = linear.accuracy(rows, targets)
    return [
        f"to beat          always {spec.classes[most]}: val/accuracy {float(base):#.4g};"
        f" a linear model: val/accuracy {accuracy:#.4g}"
    ]


def encoder_for(spec: Spec, rows: Tensor, targets: Tensor) -> Network:
    """A network without layers of its own, for its encoding."""
    settings = Settings(spec, hidden=())
    with torch.random.fork_rng(devices=[]):
        network = Network(settings)
    network.standardise(statistics_of(settings, rows, targets))
    return network
