"""Answers to the rows of a table's files, in a stream: the memory that it takes doesn't grow with the rows."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from litmlp.errors import Failure
from litmlp.inference.encode import column_sql
from litmlp.inference.predictions import outputs_of, predictions_from
from litmlp.inference.sql import sql_name
from litmlp.inference.tables import TextTable
from litmlp.model.network import Network

ROWS = 2_048  # that are answered together


class RowAnswer(NamedTuple):
    """A row of a file and its answer.

    Attributes:
        row: its number, from 1 on, without the header.
        values: its texts by column; None where there is none.
        answer: as :func:`litmlp.inference.predictions.predictions_from` gives it, or why there is none.
    """

    row: int
    values: dict[str, str | None]
    answer: dict[str, Any] | Failure


class TableAnswers:
    """The answers of a network to the rows of a file.

    Args:
        network: of a table.
        path: a CSV or Parquet file, or a pattern of them.

    Raises:
        UsageError: if there is no such file.
        Failure: if it can't be read as a table, or columns are missing.
    """

    def __init__(self, network: Network, path: str) -> None:
        assert network.spec.table is not None
        self.network, self.form = network, network.spec.table
        header = self.form.columns[0].name
        self.table = TextTable([path], self.form.missing, header, skip_ragged=True)
        lacking = [column.name for column in self.form.columns if column.name not in self.table.names]
        if lacking:
            raise Failure(f"{path}: these columns are missing: {', '.join(lacking)}")

    def __iter__(self) -> Iterator[RowAnswer]:
        names = self.table.names
        numbers = [column_sql(self.table, column, self.table.known(column.name)) for column in self.form.columns]
        wanted = ", ".join([*map(sql_name, names), *(f"{number} AS n{place}" for place, number in enumerate(numbers))])
        row = 0
        for chunk in self.table.stream(f"SELECT {wanted} FROM ({self.table.query})", ROWS):
            encoded = torch.tensor([values[len(names) :] for values in chunk if None not in values[len(names) :]])
            answers = iter(self._answers(encoded))
            for values in chunk:
                row += 1
                texts = dict(zip(names, values, strict=False))
                numbers_of_row = values[len(names) :]
                if None in numbers_of_row:
                    yield RowAnswer(row, texts, self._complaint(texts, numbers_of_row.index(None)))
                else:
                    yield RowAnswer(row, texts, next(answers))

    def _answers(self, rows: Tensor) -> list[dict[str, Any]]:
        return predictions_from(self.network, outputs_of(self.network, rows)) if len(rows) else []

    def _complaint(self, texts: dict[str, str | None], place: int) -> Failure:
        column = self.form.columns[place]
        written = f" written as {column.form}" if column.form else ""
        return Failure(f"{column.name} is a {column.kind}{written}, but {str(texts[column.name])[:60]!r} is none")
