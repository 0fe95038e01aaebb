"""The column that is predicted: a number, or classes."""

from typing import NamedTuple

import torch
from torch import Tensor

from litmlp.errors import Failure, UsageError
from litmlp.inference.encode import encode
from litmlp.inference.sql import sql_name, sql_text
from litmlp.inference.tables import TextTable
from litmlp.model.columns import Column
from litmlp.model.spec import is_text
from litmlp.tasks.kinds import FEW, Kind, kind_of

MOST_CLASSES = 10_000


class Target(NamedTuple):
    """The target column.

    Attributes:
        kind: what it was taken for, and why.
        classes: its values in order, for a classification; None for a regression.
    """

    kind: Kind
    classes: tuple[str, ...] | None

    def drop_missing(self, table: TextTable) -> list[str]:
        """Drop the rows of a loaded table that have no target: a note that says how many, if there are any."""
        column = sql_name(self.kind.name)
        missing = int(table.run(f"SELECT count(*) FROM t WHERE {column} IS NULL")[0][0])
        if not missing:
            return []
        table.keep(f"{column} IS NOT NULL")
        return [self.left_out(table, missing)]

    def left_out(self, table: TextTable, rows: int) -> str:
        """The note about so many rows of a table that have no target."""
        return f"{table.source}: {rows:,} rows without a {self.kind.name} are left out"

    def encode(self, table: TextTable) -> Tensor:
        """The targets of a loaded table: class indices (rows,), or values (rows, 1).

        Raises:
            Failure: if a value isn't one of the classes, or no number.
        """
        name, names = self.kind.name, table.source
        if self.classes is None:
            values = encode(table, [Column(name, "number", self.kind.form)])  # (rows, 1)
            if values.isinf().any():
                raise Failure(f"{names}: {name} holds what isn't a number")
            return values
        self.accept_full_stops(table)
        indices = encode(table, [Column(name, "category", categories=self.classes)])[:, 0].long()  # (rows,)
        unknown = (indices == len(self.classes)).nonzero().flatten()
        if len(unknown):
            found = table.run(f"SELECT {sql_name(name)} FROM t LIMIT 1 OFFSET {int(unknown[0])}")[0][0]
            known = ", ".join(self.classes)[:200]
            raise Failure(f"{names}: {name} is {found!r} (row {int(unknown[0]) + 1}), but the classes are {known}")
        return indices

    def accept_full_stops(self, table: TextTable) -> None:
        """Take labels that differ from the classes by a full stop at the end as these: so are those of UCI's Adult."""
        if self.classes is None:
            return
        column = sql_name(self.kind.name)
        known = ", ".join(sql_text(label) for label in self.classes)
        stopped = f"{column} NOT IN ({known}) AND rtrim({column}, '.') IN ({known})"
        if table.run(f"SELECT count(*) FROM t WHERE {stopped}")[0][0]:
            table.replace(self.kind.name, f"rtrim({column}, '.')", stopped)
            table.notes.append(f"{', '.join(map(str, table.files))}: the full stop after labels is left out")


def target_of(table: TextTable, name: str, asked: str | None) -> Target:
    """What the target column of a loaded table is.

    Args:
        table: with all the rows to learn from.
        name: of the column.
        asked: number, category, or None to find it out.

    Raises:
        UsageError: if it can't be what is asked.
        Failure: if nothing can be learned of it.
    """
    if asked not in (None, "number", "category"):
        raise UsageError(f"--columns {{{name}: {asked}}}: the target can be a number or a category")
    kind = kind_of(table, name, asked, target=True)
    files = table.source
    if kind.distinct == 0:
        raise Failure(f"{files}: no row has a {name}")
    if kind.distinct == 1:
        raise Failure(f"{files}: {name} is the same in all rows: there is nothing to predict")
    if kind.kind == "date":
        raise Failure(f"{files}: {name} is a date, and only numbers and categories can be predicted")
    as_classes = kind.kind != "number" or (asked is None and (kind.distinct == 2 or counts_up(table, name, kind)))
    if not as_classes:
        few = kind.whole and kind.distinct <= FEW and asked is None
        hint = f"; with --columns '{{{name}: category}}' they are classes" if few else ""
        return regression(kind, hint)
    if kind.distinct > MOST_CLASSES:
        raise Failure(f"{files}: {name} has {kind.distinct:,} different values, more than {MOST_CLASSES:,} classes")
    text = table.text(name)
    order = f"TRY_CAST({text} AS DOUBLE), {text}"
    found = table.run(f"SELECT DISTINCT {text}, {order} FROM t WHERE {text} IS NOT NULL ORDER BY {order}")
    bad = next((label for label, *_ in found if not is_text(label)), None)
    if bad is not None:
        raise Failure(f"{files}: {name} has the value {bad[:60]!r}, which can't be printed: rename it")
    hint = "" if kind.kind != "number" or asked else f"; with --columns '{{{name}: number}}' it is a regression"
    why = f"{kind.distinct} different values: classes{hint}"
    return Target(kind._replace(kind="category", form="", why=why), tuple(row[0] for row in found))


def regression(kind: Kind, hint: str = "") -> Target:
    """A target of numbers."""
    return Target(kind._replace(why=f"{kind.why}: a regression{hint}"), None)


def counts_up(table: TextTable, name: str, kind: Kind) -> bool:
    """Whether numbers look like labels: few whole ones, from 0 or 1 on without a gap."""
    if not kind.whole or kind.distinct > FEW or kind.form:
        return False
    number = f"TRY_CAST({sql_name(name)} AS DOUBLE)"
    low, high = table.run(f"SELECT min({number}), max({number}) FROM t")[0]
    return low in (0, 1) and high - low + 1 == kind.distinct


def class_counts(targets: Tensor, classes: int) -> Tensor:
    """How many of the targets (rows,) are of each class, (classes,)."""
    return torch.bincount(targets, minlength=classes)
