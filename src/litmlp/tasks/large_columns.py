"""What the training rows of a large table say of its columns, and which rows these are: counted in SQL."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from litmlp.inference.encode import date_sql, number_sql
from litmlp.inference.sources import sql_name
from litmlp.model.columns import Column
from litmlp.tasks.analysis import Analysis, Question, time_kind
from litmlp.tasks.kinds import Kind
from litmlp.tasks.large_table import LargeTable
from litmlp.tasks.vocabulary import FEWEST_ROWS, LONGEST, MOST_KEPT

FRACTION = 0.2  # of all rows that are tested on, and of the others that validate
PARTS = 1_000_000  # that the hashes of rows are divided into


class Sides(NamedTuple):
    """Which split each row belongs to.

    Attributes:
        sql: gives its number.
        numbers: of the splits, by name.
    """

    sql: str
    numbers: dict[str, int]

    @property
    def training(self) -> str:
        """The SQL condition for the rows that are trained on."""
        return f"{self.sql} = {self.numbers['train']}"


def sides_of(table: LargeTable, question: Question, analysis: Analysis, given: Collection[str], seed: int) -> Sides:
    """Which rows are for training, validation and test.

    By the hash of a row's features and the seed, or of the column that rows are grouped by: about the same fraction of
    each class is on each side, and rows that are the same are on one. In time, by quantiles of it.

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
        value = f"hash({', '.join(map(sql_name, names))}, {seed}) % {PARTS}"
        cases, later = [], 0.0
        for number, share in enumerate(shares, 1):
            later += share
            cases.append(f"WHEN {value} < {round(later * PARTS)} THEN {number}")
    return Sides(f"(CASE {' '.join(cases)} ELSE 0 END)" if cases else "0", numbers)


def side_counts(table: LargeTable, sides: Sides) -> dict[str, int]:
    """How many rows each split has."""
    found: dict[int, int] = dict(table.run(f"SELECT {sides.sql}, count(*) FROM t GROUP BY 1"))
    return {name: found[number] for name, number in sides.numbers.items() if number in found}


class Found(NamedTuple):
    """What the training rows say.

    Attributes:
        columns: as a network takes them; ``typical`` of numbers and dates isn't known yet.
        seen: whether a training row fills each slot of :class:`litmlp.model.columns.RowEncoder`, as 0 and 1.
        dropped: why each of the other columns is left out.
    """

    columns: list[Column]
    seen: list[float]
    dropped: dict[str, str]


def columns_of(table: LargeTable, kinds: Sequence[Kind], sides: Sides) -> Found:
    """The columns as a network takes them, found in one pass.

    As :func:`litmlp.tasks.vocabulary.final_columns` decides for a table in memory.
    """
    asked = [part for kind in kinds for part in aggregates(table, kind)]
    found = iter(table.run(f"SELECT {', '.join(asked)} FROM t WHERE {sides.training}")[0])
    columns, seen, dropped = [], [], {}
    for kind in kinds:
        missing, first, last = next(found), next(found), next(found)
        if first is None:
            dropped[kind.name] = "it is empty in all rows that are trained on"
        elif kind.kind != "category":
            columns.append(Column(kind.name, "date" if kind.kind == "date" else "number", kind.form, (), first, last))
            seen.append(float(missing > 0))
        elif kept := frequent(first):
            ordered = tuple(sorted(kept))
            columns.append(Column(kind.name, "category", categories=ordered, typical=ordered.index(kept[0])))
            seen += [1.0] * len(kept) + [float(len(kept) < len(first)), float(missing > 0)]
        else:
            dropped[kind.name] = f"text, and none of its values is in {FEWEST_ROWS} rows"
    return Found(columns, seen, dropped)


def aggregates(table: LargeTable, kind: Kind) -> tuple[str, str, str]:
    """The SQL of what is asked of a column.

    How many values are missing, and then the lowest and the highest, or how many rows each category has and nothing.
    """
    text = table.text(kind.name)
    missing = f"count(*) - count({sql_name(kind.name)})"
    if kind.kind == "category":
        return missing, f"histogram({text})", "NULL"
    if kind.kind == "date":
        value = date_sql(text, kind.form)
    else:
        value = number_sql(text if kind.form else sql_name(kind.name), kind.form)
    return missing, f"min({value})", f"max({value})"


def frequent(counts: dict[str, int]) -> list[str]:
    """The categories with an input of their own, of those with so many rows each, the most frequent first."""
    order = sorted(counts, key=lambda value: (-counts[value], value))[:MOST_KEPT]
    return [value for value in order if counts[value] >= FEWEST_ROWS and len(value) <= LONGEST]
