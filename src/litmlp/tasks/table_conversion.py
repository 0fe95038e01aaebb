"""Converts a table that is larger than memory: one pass from its files to those of its splits."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor

from litmlp.errors import Failure
from litmlp.inference.encode import column_sql
from litmlp.inference.sources import sql_name
from litmlp.model.columns import Column, TableForm
from litmlp.model.spec import Spec
from litmlp.notes import note
from litmlp.tasks.analysis import Analysis, Question, analyse, require_columns
from litmlp.tasks.dealing import Dealer
from litmlp.tasks.findings import Findings, hints, mark_to_beat
from litmlp.tasks.labelled import check_columns
from litmlp.tasks.large_columns import Sides, columns_of, side_counts, sides_of
from litmlp.tasks.large_table import LargeTable
from litmlp.tasks.progress import Progress
from litmlp.tasks.splits import require_rows
from litmlp.tasks.stored import Field, StoredSplit, layout_of, plain_of, rows_in_a_share
from litmlp.tasks.target import Target

CHUNK_ROWS = 2**19  # of the source that are encoded together, where memory allows
PURPOSES = {"train": "train on", "val": "validate on", "test": "test on"}


class Conversion:
    """One pass from the files of a table to those of its splits, after others that find out what its columns are.

    Args:
        question: what is asked of the table.
        paths: the files of each split, or patterns of them.
        seed: of the split and the shuffle.
        memory: bytes that samples may take.
        folder: to write to.
    """

    def __init__(
        self,
        question: Question,
        paths: Mapping[str, Sequence[str]],
        seed: int,
        memory: int,
        folder: Path,
    ) -> None:
        self.question, self.paths, self.seed = question, paths, seed
        self.memory, self.folder = memory, folder
        self.splits: dict[str, Any] = {}
        self.sums = torch.zeros(3, dtype=torch.float64)  # training targets, their sum, and that of their squares

    def header(self) -> dict[str, Any]:
        """Convert all: what is to be known of it."""
        asked = (name for name, kind in self.question.asked.items() if kind != "number")
        as_text = [self.question.target, self.question.group_by, self.question.time_by, *asked]
        table = self._table("train", [name for name in as_text if name is not None])
        note(f"{table.source}: larger than --memory, so it is converted to files in {self.folder} once")
        if table.load() == 0:
            raise Failure(f"{table.source}: there are no rows")
        analysis = analyse(table, self.question)
        given = {name for name in ("val", "test") if self.paths[name]}
        sides = sides_of(table, self.question, analysis, given, self.seed)
        counts = side_counts(table, sides)
        for name in ("train", "val", "test"):
            if name not in given:
                require_rows(PURPOSES[name], counts.get(name, 0), table.source)
        columns, seen, dropped = columns_of(table, analysis.features, sides)
        require_columns(table, self.question, columns, dropped)
        form = TableForm(tuple(columns), self.question.target, self.question.missing)
        self._write(table, form, analysis.target, counts, sides)
        findings = analysis.findings
        for name in sorted(given):
            plain = {column.name for column in form.columns if column.kind == "number" and not column.form}
            other = self._table(name, [column for column in table.names if column not in plain])
            check_columns(other, form)
            other.load()
            findings = findings.with_notes(other.notes + analysis.target.drop_missing(other))
            rows = int(other.run("SELECT count(*) FROM t")[0][0])
            require_rows(PURPOSES[name], rows, other.source)
            self._write(other, form, analysis.target, {name: rows}, None)
        return self._described(
            table, form, analysis, findings.of_columns(analysis.kinds, dropped, analysis.target), seen
        )

    def _table(self, name: str, as_text: Sequence[str]) -> LargeTable:
        question = self.question
        return LargeTable(self.paths[name], question.missing, question.target, self.folder, self.memory, as_text)

    def _described(
        self, table: LargeTable, form: TableForm, analysis: Analysis, findings: Findings, seen: list[float]
    ) -> dict[str, Any]:
        """The header, with findings from the head of each split."""
        classes = analysis.target.classes
        spec = Spec("table", (len(form.columns),), len(classes or "1"), classes, "row", None, form)
        splits = {name: StoredSplit(self.folder, name, *split) for name, split in self.splits.items()}
        heads = {name: split.head() for name, split in splits.items()}
        form = with_medians(form, heads["train"][0])
        spec = replace(spec, table=form)
        findings = findings.with_lines(hints(form.columns, *heads["train"], classes), mark_to_beat(spec, heads))
        count, total, squares = self.sums.tolist()
        std = max(0.0, squares / count - (total / count) ** 2) ** 0.5
        return {
            "about": f"{table.source}, to predict {self.question.target}",
            "table": asdict(form),
            "classes": classes,
            "seen": seen,
            "target_mean": None if classes else [total / count],
            "target_std": None if classes else [std if std > 1e-6 * abs(total / count) else 1.0],
            "findings": list(findings),
            "splits": {name: plain_of(*split) for name, split in self.splits.items()},
        }

    def _fields(self, form: TableForm, target: Target) -> tuple[Field, Field]:
        targets = Field((1,), "float32") if target.classes is None else Field((), "int64")
        return Field((len(form.columns),), "float32"), targets

    def _write(
        self, table: LargeTable, form: TableForm, target: Target, counts: Mapping[str, int], sides: Sides | None
    ) -> None:
        """Encode the rows of a loaded table, and deal them out to the files of the sides."""
        fields = self._fields(form, target)
        values = [encoded_sql(table, column) for column in form.columns]
        wanted = Column(form.target, "number", target.kind.form)
        if target.classes is not None:
            wanted = Column(form.target, "category", categories=target.classes)
        values += [encoded_sql(table, wanted), *([sides.sql] if sides else [])]
        progress = Progress(sum(counts.values()))
        with ExitStack() as stack:
            layouts = {name: layout_of(rows, fields, self.memory) for name, rows in counts.items()}
            dealers = {
                name: stack.enter_context(Dealer(self.folder, name, layout, self.seed))
                for name, layout in layouts.items()
            }
            for chunk in table.chunks(values, min(CHUNK_ROWS, rows_in_a_share(fields, self.memory))):
                rows = stacked(chunk[: len(form.columns)])
                targets = torch.from_numpy(numpy.ascontiguousarray(chunk[len(form.columns)]))
                if sides is None:  # otherwise all values have decided what their columns are
                    check_values(table, form.columns, rows)
                check_target(table, target, targets)
                targets = targets.unsqueeze(1) if target.classes is None else targets.long()
                for name, dealer in dealers.items():
                    own = slice(None) if sides is None else torch.from_numpy(chunk[-1] == sides.numbers[name])
                    dealer.add(rows[own], targets[own])
                    if name == "train":
                        self._count(targets[own].double())
                progress.add(len(rows))
            for name, dealer in dealers.items():
                dealer.close()
                self.splits[name] = layouts[name], dealer.checksums
        progress.close()

    def _count(self, targets: Tensor) -> None:
        """Add training targets to the sums."""
        self.sums += torch.stack([torch.tensor(float(len(targets))).double(), targets.sum(), targets.square().sum()])


def with_medians(form: TableForm, rows: Tensor) -> TableForm:
    """The columns with the median of each number and date among rows (rows, columns)."""
    medians = rows.nanmedian(0).values.nan_to_num()  # (columns,)
    columns = [
        column if column.kind == "category" else replace(column, typical=float(middle))
        for column, middle in zip(form.columns, medians, strict=True)
    ]
    return replace(form, columns=tuple(columns))


def encoded_sql(table: LargeTable, column: Column) -> str:
    """The SQL of a column's numbers: NaN where a value is missing, infinite where it can't be one of its kind."""
    text = sql_name(column.name) if column.kind == "number" and not column.form else table.text(column.name)
    return f"coalesce({column_sql(table, column, text)}, 'inf'::FLOAT)"


def stacked(columns: Sequence[Any]) -> Tensor:
    """Rows (rows, columns) of float32 of as many arrays."""
    rows = numpy.empty((len(columns[0]), len(columns)), numpy.float32)
    for place, column in enumerate(columns):
        rows[:, place] = column
    return torch.from_numpy(rows)


def check_values(table: LargeTable, columns: Sequence[Column], rows: Tensor) -> None:
    """Raise a Failure if a value of rows (rows, columns) can't be one of its column."""
    wrong = rows.isinf().any(0)  # (columns,)
    if wrong.any():
        column = columns[int(wrong.nonzero()[0])]
        value = f"{encoded_sql(table, column)} = 'inf'::FLOAT"
        found = table.run(f"SELECT {table.text(column.name)} FROM t WHERE {value} LIMIT 1")[0][0]
        raise Failure(f"{table.source}: {column.name} is a {column.kind}, but {found!r} is none")


def check_target(table: LargeTable, target: Target, targets: Tensor) -> None:
    """Raise a Failure if a target (rows,) is none of the classes, or no number."""
    name = target.kind.name
    if target.classes is None:
        if targets.isinf().any():
            raise Failure(f"{table.source}: {name} holds what isn't a number")
        return
    if (targets == len(target.classes)).any():
        known = ", ".join(target.classes)[:200]
        raise Failure(f"{table.source}: {name} has a value that isn't one of the classes, which are {known}")
