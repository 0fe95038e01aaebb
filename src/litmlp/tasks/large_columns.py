"""What the training rows of a large table say of its columns, and which rows these are: counted in SQL."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from litmlp.inference.encode import date_sql, number_sql
from litmlp.inference.sql import sql_name
from litmlp.model.columns import Column
from litmlp.tasks.analysis import Analysis, Question, time_kind
from litmlp.tasks.kinds import Kind
from litmlp.tasks.large_table import FIRST_ROWS, LargeTable
from litmlp.tasks.splits import FREQUENT_ROWS
from litmlp.tasks.summary import Summary
from litmlp.tasks.vocabulary import FEWEST_ROWS, LONGEST, MOST_KEPT

FRACTION = 0.2  # of all rows that are tested on, and of the others that validate
HASHES = 2**64
FREQUENT = 0.01  # of the first rows: less than in memory, since hashes don't fill the splits evenly
ANY = 255  # the number of a row that can be in each split
EMPTY = "it is empty in all rows that are trained on"


class Sides(NamedTuple):
    """Which split each row belongs to.

    Attributes:
        sql: gives its number, or ``ANY``.
        numbers: of the splits, by name: 0 for ``train`` and so on.
        shares: about the fraction of the rows that each has.
    """

    sql: str
    numbers: dict[str, int]
    shares: dict[str, float]

    @property
    def training(self) -> str:
        """The SQL condition for the rows that are trained on, or can be."""
        return f"{self.sql} IN ({self.numbers['train']}, {ANY})"

    def drawn(self, rows: int, generator: Generator) -> Tensor:
        """The numbers (rows,) of rows that can be in each split."""
        bounds = torch.tensor(list(self.shares.values())).cumsum(0)[:-1]  # (splits - 1,)
        return torch.bucketize(torch.rand(rows, generator=generator), bounds, right=True)


def sides_of(table: LargeTable, question: Question, analysis: Analysis, given: Collection[str], seed: int) -> Sides:
    """Which rows are for training, validation and test.

    By the hash of a row's features and the seed, or of the column that rows are grouped by: about the same fraction of
    each class is on each side, and rows that are the same are on one, except those that are over 1 % of the first rows,
    which are drawn. In time, by quantiles of it.

    Args:
        table: the loaded table.
        question: what is asked of it.
        analysis: what its columns are.
        given: the splits that have files of their own.
        seed: of the split.

    Raises:
        UsageError: if the column that orders rows in time can't.
    """
    held_out = [name for name in ("test", "val") if name not in given]
    numbers = {"train": 0, **{name: place for place, name in enumerate(held_out, 1)}}
    shares, left = [], 1.0
    for _ in held_out:
        shares.append(FRACTION * left)
        left -= shares[-1]
    if question.time_by is not None:
        kind = time_kind(table, question)
        name = table.text(kind.name)
        value = date_sql(name, kind.form) if kind.kind == "date" else number_sql(name, kind.form)
        value, cases, later = f"coalesce({value}, '-inf'::FLOAT)", [], 0.0
        for number, share in enumerate(shares, 1):
            later += share
            bound = float(table.run(f"SELECT approx_quantile({value}, {1 - later}) FROM t")[0][0])
            cases.append(f"WHEN {value} > '{bound!r}'::FLOAT THEN {number}")
    else:
        names = [question.group_by] if question.group_by is not None else [kind.name for kind in analysis.features]
        # Hashed once more: of several values, DuckDB's hash is a chain that the last one hardly mixes with.
        value = f"hash(xor(hash({', '.join(map(sql_name, names))}), hash({seed})))"
        cases, later = [], 0.0
        if question.group_by is None and (frequent := frequent_in(table, value)):
            cases.append(f"WHEN {value} IN ({', '.join(map(str, frequent))}) THEN {ANY}")
        for number, share in enumerate(shares, 1):
            later += share
            cases.append(f"WHEN {value} < '{round(later * HASHES)}'::UBIGINT THEN {number}")
    sql = f"(CASE {' '.join(cases)} ELSE 0 END)" if cases else "0"
    return Sides(sql, numbers, dict(zip(numbers, [left, *shares], strict=True)))


def frequent_in(table: LargeTable, value: str) -> list[int]:
    """What the SQL ``value`` gives for over 1 % of the first rows of a loaded table."""
    first = f"(SELECT * FROM t LIMIT {FIRST_ROWS})"
    found = table.run(f"SELECT {value}, count(*) FROM {first} GROUP BY 1 ORDER BY 1")
    most = max(FREQUENT_ROWS, FREQUENT * sum(rows for _, rows in found))
    return [hashed for hashed, rows in found if rows > most]


def all_in(name: str) -> Sides:
    """All rows are in one split."""
    return Sides("0", {name: 0}, {name: 1.0})


class Found(NamedTuple):
    """The columns that a network takes.

    Attributes:
        columns: without what is known of numbers and dates only when all rows were encoded.
        has_others: the categories of which some values have no input of their own.
        dropped: why each of the other columns is left out.
    """

    columns: list[Column]
    has_others: set[str]
    dropped: dict[str, str]


def columns_of(table: LargeTable, kinds: Sequence[Kind], sides: Sides) -> Found:
    """The columns that a network takes, with the categories of the training rows, found in one query.

    As :func:`litmlp.tasks.vocabulary.final_columns` decides for a table in memory.
    """
    names = [kind.name for kind in kinds if kind.kind == "category"]
    counts: dict[str, dict[str, int] | None] = {}
    if names:
        asked = ", ".join(f"histogram({table.text(name)})" for name in names)
        counts = dict(zip(names, table.run(f"SELECT {asked} FROM t WHERE {sides.training}")[0], strict=True))
    columns, has_others, dropped = [], set(), {}
    for kind in kinds:
        if kind.kind != "category":
            columns.append(Column(kind.name, "date" if kind.kind == "date" else "number", kind.form))
        elif not (found := counts[kind.name]):
            dropped[kind.name] = EMPTY
        elif kept := frequent(found):
            ordered = tuple(sorted(kept))
            columns.append(Column(kind.name, "category", categories=ordered, typical=ordered.index(kept[0])))
            has_others |= {kind.name} if len(kept) < len(found) else set()
        else:
            dropped[kind.name] = f"text, and none of its values is in {FEWEST_ROWS} rows"
    return Found(columns, has_others, dropped)


def with_ranges(columns: Sequence[Column], training: Summary) -> list[Column]:
    """The columns with the ranges of their numbers and dates in the training rows."""
    return [
        column if column.kind == "category" else replace(column, low=float(low), high=float(high))
        for column, low, high in zip(columns, training.low, training.high, strict=True)
    ]


def seen_slots(found: Found, training: Summary) -> list[float]:
    """Whether a training row fills each slot of :class:`litmlp.model.columns.RowEncoder`, as 0 and 1."""
    seen = []
    for column, has_gaps in zip(found.columns, training.has_gaps, strict=True):
        if column.kind == "category":
            seen += [1.0] * len(column.categories) + [float(column.name in found.has_others)]
        seen.append(float(has_gaps))
    return seen


def frequent(counts: dict[str, int]) -> list[str]:
    """The categories with an input of their own, of those with so many rows each, the most frequent first."""
    order = sorted(counts, key=lambda value: (-counts[value], value))[:MOST_KEPT]
    return [value for value in order if counts[value] >= FEWEST_ROWS and len(value) <= LONGEST]
