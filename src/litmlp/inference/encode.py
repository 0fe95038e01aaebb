"""From a table's text to the numbers of samples, in SQL, for many rows at once; ``rows`` does the same for a few."""

from collections.abc import Sequence

import numpy
import torch
from torch import Tensor

from litmlp.inference.sql import sql_name, sql_text
from litmlp.inference.tables import TextTable
from litmlp.model.columns import Column

SECONDS_A_DAY = 86_400.0


def number_sql(text: str, form: str) -> str:
    """The SQL of a number in a text, NULL where there is none.

    Args:
        text: SQL of the text.
        form: how numbers are written, see :class:`litmlp.model.columns.Column`.
    """
    if form == "1,234.5":
        text = f"replace({text}, ',', '')"
    elif form == "1.234,5":
        text = f"replace(replace({text}, '.', ''), ',', '.')"
    return f"CASE WHEN isfinite(TRY_CAST({text} AS FLOAT)) THEN TRY_CAST({text} AS FLOAT) END"


def date_sql(text: str, form: str) -> str:
    """The SQL of a date's days since 1970, NULL where there is none; also of ISO 8601, whatever the format.

    An offset from UTC is left out: the days are those of the clock on the wall.

    Args:
        text: SQL of the text.
        form: a strptime format.
    """
    parsed = f"coalesce(try_strptime({text}, {sql_text(form)}), TRY_CAST({text} AS TIMESTAMP))"
    return f"(epoch({parsed}) / {SECONDS_A_DAY})::FLOAT"


def column_sql(table: TextTable, column: Column, text: str) -> str:
    """The SQL of a column's numbers: NaN where a value is missing, NULL where it can't be one of the column's kind.

    Args:
        table: whose connection it is for.
        column: what its values are.
        text: the SQL of its text, NULL where a value is missing.
    """
    if column.kind == "number":
        value = number_sql(text, column.form)
    elif column.kind == "date":
        value = date_sql(text, column.form)
    else:
        name = sql_name(f"categories of {column.name}")
        values = ", ".join(map(sql_text, column.categories))
        table.run(f"DROP TYPE IF EXISTS {name}")
        table.run(f"CREATE TYPE {name} AS ENUM ({values})")
        value = f"coalesce(enum_code(TRY_CAST({text} AS {name})), {len(column.categories)})::FLOAT"
    return f"CASE WHEN {text} IS NULL THEN 'nan'::FLOAT ELSE {value} END"


def encode(table: TextTable, columns: Sequence[Column]) -> Tensor:
    """The rows (rows, columns) of a loaded table as float32; a value that can't be is infinite."""
    rows = int(table.run("SELECT count(*) FROM t")[0][0])
    encoded = numpy.empty((rows, len(columns)), dtype=numpy.float32)
    for place, column in enumerate(columns):
        value = f"coalesce({column_sql(table, column, sql_name(column.name))}, 'inf'::FLOAT)"
        encoded[:, place] = table.column(value)
    return torch.from_numpy(encoded)
