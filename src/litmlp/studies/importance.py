"""Which columns of a table a network needs: how much its metric falls when one is shuffled among the test rows.

Source: permutation importance, Breiman, "Random Forests", 2001; Fisher, Rudin and Dominici, 2019, arXiv:1801.01489.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from litmlp.model.network import Network
from litmlp.randomness import GENERATE, generator

SHUFFLES = 3
MOST_ROWS = 10_000
MOST_ANSWERS = 240_000  # of the network, for all columns together: 1000 rows of 80 columns
BATCH = 1024


class Importance(NamedTuple):
    """The importance of the columns.

    Attributes:
        drops: of the metric, (columns,).
        metric: accuracy, or R² of a regression.
        rows: how many were used.
    """

    drops: Tensor
    metric: str
    rows: int

    @property
    def order(self) -> list[int]:
        """The columns' places, the most important first."""
        places: list[int] = self.drops.argsort(descending=True, stable=True).tolist()
        return places


def importance_of(
    network: Network, rows: Tensor, targets: Tensor, progress: Callable[[int, int], None]
) -> Importance | None:
    """How much the metric falls when a column is shuffled: the mean of 3 shuffles with fixed seeds.

    Only rows whose value changes are asked again.

    Args:
        network: answers rows.
        rows: (rows, columns); of more than 10,000, or so many that it took long, some are drawn.
        targets: class indices (rows,) or values (rows, outputs).
        progress: is called with how many columns are done, and of how many.

    Returns:
        None where the metric isn't defined, as for constant targets of a regression.
    """
    columns = rows.shape[1]
    most = min(MOST_ROWS, max(BATCH, MOST_ANSWERS // (SHUFFLES * columns)))
    if len(rows) > most:
        chosen = torch.randperm(len(rows), generator=generator(0, GENERATE))[:most]
        rows, targets = rows[chosen], targets[chosen]
    answers = answers_of(network, rows)
    before = metric_of(network, answers, targets)
    if not before.isfinite():
        return None
    drops = torch.zeros(columns, dtype=torch.float64)
    for column in range(columns):
        progress(column, columns)
        for shuffle in range(SHUFFLES):
            order = torch.randperm(len(rows), generator=generator(0, GENERATE, column + 1, shuffle))
            values, old = rows[order, column], rows[:, column]
            changed = (values != old) & ~(values.isnan() & old.isnan())
            asked = rows[changed]
            asked[:, column] = values[changed]
            shuffled = answers.clone()
            shuffled[changed] = answers_of(network, asked)
            drops[column] += (before - metric_of(network, shuffled, targets)) / SHUFFLES
    progress(columns, columns)
    return Importance(drops, "accuracy" if network.spec.classes else "R²", len(rows))


@torch.inference_mode()
def answers_of(network: Network, rows: Tensor) -> Tensor:
    """The predicted classes (rows,), or values (rows, outputs), of rows (rows, columns)."""
    outputs = torch.cat([network(part) for part in rows.split(BATCH)])  # (rows, outputs)
    return outputs.argmax(1) if network.spec.classes else outputs


def metric_of(network: Network, answers: Tensor, targets: Tensor) -> Tensor:
    """The accuracy, or R² as the mean over the outputs, as float64 (); not finite where it isn't defined."""
    if network.spec.classes:
        return (answers == targets).double().mean()
    errors, spread = (answers.double() - targets).square().sum(0), (targets.double() - targets.double().mean(0))
    return (1 - errors / spread.square().sum(0)).mean()


def importance_lines(importance: Importance, names: list[str]) -> list[str]:
    """The columns and how much the metric falls without them, the most important first."""
    width = min(40, max(map(len, names)))
    return [
        "",
        f"{importance.metric} lost when a column is shuffled among {importance.rows:,} rows"
        f" (mean of {SHUFFLES} shuffles):",
        *(f"  {names[place]:{width}}  {float(importance.drops[place]):z7.4f}" for place in importance.order),
    ]
