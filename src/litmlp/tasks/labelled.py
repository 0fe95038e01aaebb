"""Rows of a table with their targets, from files of the columns that a network has learned from."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from litmlp.errors import Failure, UsageError
from litmlp.inference.encode import encode
from litmlp.inference.sql import sql_name
from litmlp.inference.tables import TextTable
from litmlp.model.columns import TableForm
from litmlp.model.spec import Spec
from litmlp.tasks.contract import check_loaded
from litmlp.tasks.kinds import Kind, kind_of
from litmlp.tasks.target import Target


class Labelled(NamedTuple):
    """What was read.

    Attributes:
        rows: (rows, columns).
        targets: class indices (rows,) or values (rows, 1).
        notes: about the files, a line each.
    """

    rows: Tensor
    targets: Tensor
    notes: list[str]


def labelled_rows(table: TextTable, form: TableForm, target: Target) -> Labelled:
    """The rows of a loaded table, and their targets; rows without one are left out.

    Raises:
        Failure: if a value can't be one of its column.
    """
    names = table.source
    dropped = target.drop_missing(table)
    rows, targets = encode(table, form.columns), target.encode(table)
    for place, column in enumerate(form.columns):
        wrong = rows[:, place].isinf().nonzero().flatten()
        if len(wrong):
            found = table.run(f"SELECT {sql_name(column.name)} FROM t LIMIT 1 OFFSET {int(wrong[0])}")[0][0]
            raise Failure(
                f"{names}: {column.name} is a {column.kind}, but {found!r} is none"
                f" (row {int(wrong[0]) + 1}, and {len(wrong) - 1} more)"
            )
    return Labelled(rows, targets, table.notes + dropped)


def open_labelled(paths: Sequence[str], form: TableForm) -> TextTable:
    """The files' loaded table, which has all columns and the target.

    Raises:
        UsageError: if there is no such file.
        Failure: if it can't be read, or a column is missing.
    """
    table = TextTable(paths, form.missing, form.target)
    check_columns(table, form)
    table.load()
    return table


def check_columns(table: TextTable, form: TableForm) -> None:
    """Raise a Failure if a table lacks a column, or the target."""
    wanted = [*(column.name for column in form.columns), form.target]
    absent = [name for name in wanted if name not in table.names]
    if absent:
        raise Failure(f"{table.source}: these columns are missing: {', '.join(absent)}")


def rows_for(spec: Spec, paths: Sequence[str]) -> tuple[Tensor, Tensor]:
    """The rows (rows, columns) of files and their targets, for a network of a table.

    Raises:
        UsageError: if there is no such file.
        Failure: if they don't fit the columns that were learned from.
    """
    form, source = spec.table, ", ".join(paths)
    assert form is not None
    table, kind = open_labelled(paths, form), Kind(form.target, "category", "", "", 0)
    if spec.classes is None:
        try:
            kind = kind_of(table, form.target, "number", target=True)
        except UsageError:
            raise Failure(f"{source}: {form.target} holds what isn't a number") from None
    found = labelled_rows(table, form, Target(kind, spec.classes))
    return check_loaded((found.rows, found.targets), spec, source)
