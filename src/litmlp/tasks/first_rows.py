"""What the first rows of a large table decide, so that all the others needn't be looked at but once.

Two different numbers make a column of numbers, if nothing else than numbers is in the other rows; one that isn't whole
makes it no id. Whoever encodes the rows finds out whether there is something else, and then begins again.
"""

from collections.abc import Collection
from typing import NamedTuple

from litmlp.inference.sources import PACKED
from litmlp.inference.sql import sql_name
from litmlp.tasks.analysis import Question
from litmlp.tasks.kinds import FEW, Kind, is_id
from litmlp.tasks.large_table import FIRST_ROWS, TOGETHER, LargeTable


class FirstNumbers(NamedTuple):
    """What the first rows say of a column that looks like numbers.

    Attributes:
        rows: how many they are.
        distinct: how many different numbers they have.
        whole: whether all of these are whole.
    """

    rows: int
    distinct: int
    whole: bool


class DisprovedError(Exception):
    """Some row isn't what the first ones let expect.

    Attributes:
        doubtful: the columns of which all rows have to be looked at.
        dropped: why others are left out.
    """

    def __init__(self, doubtful: Collection[str] = (), dropped: dict[str, str] | None = None) -> None:
        super().__init__()
        self.doubtful, self.dropped = set(doubtful), dropped or {}


def known_numbers(table: LargeTable, question: Question, doubtful: Collection[str]) -> dict[str, Kind]:
    """The columns that are numbers if the first rows are like the others; the target only if they can't be classes."""
    known = {}
    for name, (rows, distinct, whole) in first_numbers(table).items():
        is_target = name == question.target
        enough = distinct > (FEW if is_target else 1) and (is_target or not whole or not is_id(name))
        if enough and name not in {*doubtful, *question.asked, question.group_by}:
            why = f"numbers, {distinct:,} different in the first {rows:,} rows"
            known[name] = Kind(name, "number", "", why, distinct, whole)
    return known


def are_enough(known: Collection[str], table: LargeTable, question: Question) -> bool:
    """Whether no other column has to be looked at before the rows are encoded."""
    ignored = {name for name, asked in question.asked.items() if asked == "ignore"}
    packed = any(path.suffix in PACKED for path in table.files)  # in which nobody looks for leading zeros
    others = set(table.names) - {*known, *ignored, question.group_by}
    return not (others or packed or question.time_by)


def first_numbers(table: LargeTable) -> dict[str, FirstNumbers]:
    """What the first rows say of the columns that look like numbers."""
    names = [name for name in table.names if name in table.numbers]
    first = f"(SELECT * FROM ({table.select()}) LIMIT {FIRST_ROWS})" if table.in_place else "first"
    found = {}
    for start in range(0, len(names), TOGETHER):
        group = names[start : start + TOGETHER]
        columns = map(sql_name, group)
        asked = (f"count(DISTINCT {column}), count(*) FILTER ({column} != floor({column}))" for column in columns)
        rows, *counts = table.run(f"SELECT count(*), {', '.join(asked)} FROM {first}")[0]
        for name, distinct, fractions in zip(group, counts[::2], counts[1::2], strict=True):
            found[name] = FirstNumbers(rows, distinct, fractions == 0)
    return found
