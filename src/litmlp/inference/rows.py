"""Rows of a table from values that somebody sends or types: names with numbers, texts or nothing."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import torch
from torch import Tensor

from litmlp.errors import Failure
from litmlp.inference.encode import SECONDS_A_DAY
from litmlp.model.columns import Column, TableForm

OVERFLOW = 2.0**128 - 2.0**103  # from which on a number is infinite as float32
LONGEST = 1_000  # characters of a value


def rows_from(table: TableForm, rows: Any) -> Tensor:
    """Rows (rows, columns), as a network takes them, from a list of mappings of names to values.

    Names that the network doesn't know are left alone.

    Raises:
        Failure: if they aren't that, a column is missing, or a value can't be one of its column.
    """
    if not isinstance(rows, Sequence) or isinstance(rows, str) or not rows:
        raise Failure("the rows must be a list of at least one")
    return torch.tensor([row_from(table, row, number) for number, row in enumerate(rows)], dtype=torch.float32)


def row_from(table: TableForm, row: Any, number: int) -> list[float]:
    """One row's numbers; raises what :func:`rows_from` does, with the row's number, from 0 on."""
    if not isinstance(row, Mapping):
        raise Failure(f"row {number} must be a mapping of the columns' names to values")
    missing = [column.name for column in table.columns if column.name not in row]
    if missing:
        raise Failure(f"row {number} lacks {', '.join(missing)}: give null for what isn't known")
    return [number_from(column, row[column.name], table.missing, number) for column in table.columns]


def number_from(column: Column, value: Any, missing: Sequence[str], number: int) -> float:
    """A value's number: NaN if it is missing.

    Raises:
        Failure: if it can't be one of its column.
    """
    text = as_text(value)
    if text is None or len(text) > LONGEST:
        raise Failure(f"row {number}: {column.name} must be a number, a text or null")
    text = text.strip(" ")
    if not text or (text in missing and isinstance(value, str)):
        return math.nan
    if column.kind == "category":
        return category_from(column, text, isinstance(value, bool))
    found = date_from(text, column.form) if column.kind == "date" else float_from(text, column.form, value)
    if found is None:
        hint = f" such as {column.typical:g}" if column.kind == "number" else f", written as {column.form}"
        raise Failure(f"row {number}: {column.name} is a {column.kind}{hint}, but {text[:60]!r} is none")
    return found


def as_text(value: Any) -> str | None:
    """A value as it would stand in a table; "" for None, and None for what can't."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value) if isinstance(value, str | float) or (type(value) is int and abs(value) < 10**300) else None


def category_from(column: Column, text: str, is_bool: bool) -> float:
    """A category's index; all that the network hasn't seen have the one after the last. True is also TRUE."""
    for index, category in enumerate(column.categories):
        if category == text or (is_bool and category.lower() == text):
            return float(index)
    return float(len(column.categories))


def float_from(text: str, form: str, value: Any) -> float | None:
    """The number in a text, as :func:`litmlp.inference.encode.number_sql` finds it; None if there is none."""
    if isinstance(value, str):
        if form == "1,234.5":
            text = text.replace(",", "")
        elif form == "1.234,5":
            text = text.replace(".", "").replace(",", ".")
    try:
        text = text.strip(" ")
        text = text[1:] if text.startswith("+-") else text  # as DuckDB reads it
        number = float(text) if text.isascii() else math.nan
    except ValueError:
        return None
    return number if abs(number) < OVERFLOW else None


def date_from(text: str, form: str) -> float | None:
    """A date's days since 1970, as :func:`litmlp.inference.encode.date_sql` finds them; None if it is none."""
    try:
        moment = datetime.strptime(text, form)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return None
    return moment.replace(tzinfo=UTC).timestamp() / SECONDS_A_DAY  # as DuckDB leaves an offset out
