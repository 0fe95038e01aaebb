"""Rows of a table in words: the columns' names and values, categories by name."""

import math
from collections.abc import Sequence

import numpy
from torch import Tensor

from litmlp.model.columns import Column, TableForm

LONGEST = 30  # characters of a value


def row_text(form: TableForm, row: Tensor, places: Sequence[int]) -> str:
    """Some columns of a row (columns,), as "island Biscoe, sex missing"."""
    return ", ".join(
        f"{form.columns[place].name} {value_text(form.columns[place], float(row[place]))}" for place in places
    )


def value_text(column: Column, value: float) -> str:
    """A value as the table has it, about."""
    if math.isnan(value):
        return "missing"
    if column.kind == "category":
        known = int(value) < len(column.categories)
        text = column.categories[int(value)] if known else "rare or unseen"
        text = text if text.isprintable() else ascii(text)
        return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    if column.kind == "date":
        return date_text(value, with_time="%H" in column.form or "%I" in column.form)
    return str(int(value)) if value.is_integer() and abs(value) < 1e9 else f"{value:.6g}"


def date_text(days: float, with_time: bool) -> str:
    """A date in ISO 8601, of days since 1970; a time is exact to some minutes."""
    moment = numpy.datetime64(round(days * 1440), "m")
    return str(moment).replace("T", " ") if with_time else str(moment.astype("datetime64[D]"))
