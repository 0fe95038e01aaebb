"""Which categories of a column get an input of their own, decided from the rows that are trained on."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from litmlp.inference.sql import sql_name
from litmlp.inference.tables import TextTable
from litmlp.model.columns import Column
from litmlp.tasks.kinds import Kind

FEWEST_ROWS = 3  # of a category with an input of its own; rarer ones train the input for unseen ones
SMALL = 200  # rows, below which each category has its own
LONGEST = 200  # characters of a category with an input of its own
MOST_KEPT = 1_000  # categories of a column, the most frequent ones


def provisional(table: TextTable, kind: Kind) -> Column:
    """A column with all the categories that a loaded table has."""
    if kind.kind != "category":
        return Column(kind.name, "date" if kind.kind == "date" else "number", kind.form)
    column = sql_name(kind.name)
    found = table.run(f"SELECT DISTINCT {column} FROM t WHERE {column} IS NOT NULL ORDER BY {column}")
    return Column(kind.name, "category", categories=tuple(row[0] for row in found))


def final_columns(
    columns: Sequence[Column], rows: Tensor, train: Tensor
) -> tuple[list[Column], Tensor, dict[str, str]]:
    """The columns as a network takes them, with what the training rows say of their values.

    Args:
        columns: with all categories.
        rows: their values (rows, columns), changed in place.
        train: indices of the rows that are trained on.

    Returns:
        The columns that are left, their values (rows, columns left), and why each of the others is left out.
    """
    final, places, dropped = [], [], {}
    for place, whole in enumerate(columns):
        column = whole
        known = rows[train, place]
        known = known[~known.isnan()]
        if not len(known):
            dropped[column.name] = "it is empty in all rows that are trained on"
            continue
        if whole.kind == "category":
            kept = [
                index
                for index in frequent(known.long(), len(whole.categories))
                if len(whole.categories[index]) <= LONGEST
            ]
            if not kept:
                dropped[column.name] = f"text, and none of its values is in {FEWEST_ROWS} rows"
                continue
            categories = tuple(column.categories[index] for index in sorted(kept))
            column = replace(column, categories=categories, typical=sorted(kept).index(kept[0]))
            rows[:, place] = translated(rows[:, place], whole.categories, column.categories)
        else:
            low, high = (float(value) for value in known.aminmax())
            column = replace(column, low=low, high=high, typical=float(known.median()))
        final.append(column)
        places.append(place)
    return final, rows[:, places] if len(places) < len(columns) else rows, dropped


def frequent(values: Tensor, categories: int) -> list[int]:
    """The categories that are frequent enough among the training values (rows,), the most frequent first."""
    counts = torch.bincount(values, minlength=categories)
    fewest = FEWEST_ROWS if len(values) >= SMALL else 1
    order: list[int] = counts.argsort(descending=True, stable=True)[:MOST_KEPT].tolist()
    return [index for index in order if counts[index] >= fewest]


def translated(values: Tensor, before: Sequence[str], after: Sequence[str]) -> Tensor:
    """Indices (rows,) among the categories before as indices among those after; NaN stays."""
    places = {category: index for index, category in enumerate(after)}
    lookup = torch.tensor([float(places.get(category, len(after))) for category in before] + [torch.nan])
    return lookup[values.nan_to_num(nan=len(before)).long()]
