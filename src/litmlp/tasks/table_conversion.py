"""Converts a table that is larger than memory: one pass from its files to those of its splits."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from math import isfinite
from pathlib import Path
from typing import Any

from torch import Tensor

from litmlp.errors import Failure
from litmlp.model.columns import TableForm
from litmlp.model.spec import Spec
from litmlp.tasks.analysis import Question, analyse, require_columns
from litmlp.tasks.findings import Findings, hints, mark_to_beat
from litmlp.tasks.first_rows import DisprovedError, are_enough, known_numbers
from litmlp.tasks.kinds import Kind
from litmlp.tasks.labelled import check_columns
from litmlp.tasks.large_columns import EMPTY, all_in, columns_of, seen_slots, sides_of, with_ranges
from litmlp.tasks.large_table import LargeTable
from litmlp.tasks.leading_zeros import have_leading_zeros
from litmlp.tasks.linear import MOST_ROWS
from litmlp.tasks.splits import require_rows
from litmlp.tasks.stored import StoredSplit, paths_of, plain_of
from litmlp.tasks.table_pass import Pass, Written, check_numbers
from litmlp.tasks.target import Target

PURPOSES = {"train": "train on", "val": "validate on", "test": "test on"}


class Conversion:
    """One pass from the files of a table to those of its splits, where the first rows say what the columns are.

    Where they don't, other queries look at all rows before.

    Args:
        question: what is asked of the table.
        paths: the files of each split, or patterns of them.
        seed: of the split and the shuffle.
        memory: bytes that samples may take.
        folder: to write to.
    """

    def __init__(
        self, question: Question, paths: Mapping[str, Sequence[str]], seed: int, memory: int, folder: Path
    ) -> None:
        self.question, self.paths, self.seed = question, paths, seed
        self.memory, self.folder = memory, folder
        self.given = [name for name in ("test", "val") if paths[name]]
        self.doubtful: set[str] = set()  # columns that the first rows don't decide
        self.dropped: dict[str, str] = {}  # why columns are left out that the first rows are no reason for

    def header(self) -> dict[str, Any]:
        """Convert all: what is to be known of it."""
        while True:
            try:
                return self._converted()
            except DisprovedError as disproved:
                self.doubtful |= disproved.doubtful
                self.dropped |= disproved.dropped
                for name in ("train", "val", "test"):
                    for path in paths_of(self.folder, name):
                        path.unlink(missing_ok=True)

    def _converted(self) -> dict[str, Any]:
        asked = (name for name, kind in self.question.asked.items() if kind != "number")
        as_text = [self.question.target, self.question.group_by, self.question.time_by, *asked]
        table = self._table("train", [name for name in as_text if name is not None])
        known = known_numbers(table, self.question, self.doubtful)
        rows = self._load(table, known)
        analysis = analyse(table, self.question, known)
        sides = sides_of(table, self.question, analysis, self.given, self.seed)
        features = [kind for kind in analysis.features if kind.name not in self.dropped]
        found = columns_of(table, features, sides)
        dropped = self.dropped | found.dropped
        require_columns(table, self.question, found.columns, dropped)
        form = TableForm(tuple(found.columns), self.question.target, self.question.missing)
        writer = Pass(self.folder, form, analysis.target, self.seed, self.memory)
        expected = {name: round(share * rows) for name, share in sides.shares.items()}
        with ThreadPoolExecutor(1, "zeros") as thread:
            zeros = thread.submit(have_leading_zeros, table.sources if table.reads_csv else [])
            splits = writer.write(table, expected, sides)
        self._check(table, form, splits)
        if zeros.result():
            raise DisprovedError(table.names)
        findings = analysis.findings
        if writer.without_target:
            findings = findings.with_notes([analysis.target.left_out(table, writer.without_target)])
        form = replace(form, columns=tuple(with_ranges(form.columns, splits["train"].summary)))
        for name in sorted(self.given):
            splits[name], notes = self._given(name, table.names, form, analysis.target)
            findings = findings.with_notes(notes)
        findings = findings.of_columns(analysis.kinds, dropped, analysis.target)
        seen = seen_slots(found, splits["train"].summary)
        return self._described(table, form, analysis.target.classes, findings, splits) | {"seen": seen}

    def _table(self, name: str, as_text: Sequence[str]) -> LargeTable:
        question = self.question
        return LargeTable(self.paths[name], question.missing, question.target, self.folder, self.memory, as_text)

    def _load(self, table: LargeTable, known: dict[str, Kind]) -> int:
        """Load a table: about how many rows it has.

        ``known`` keeps the columns that are known then; the target only if all are, since otherwise rows that have none
        are to be left out before the others are looked at.
        """
        if are_enough(known, table, self.question):
            return table.load_for_one_query()
        rows = table.load()
        if rows == 0:
            raise Failure(f"{table.source}: there are no rows")
        for name in set(known) - (table.numbers - {self.question.target}):
            del known[name]
        return rows

    def _check(self, table: LargeTable, form: TableForm, splits: Mapping[str, Written]) -> None:
        """Check what only all rows can say.

        Raises:
            DisprovedError: if the first ones have said something else.
            Failure: if a split has no rows, or some are broken.
        """
        doubtful = {form.columns[place].name for split in splits.values() for place in split.summary.infinite()}
        if not all(isfinite(split.summary.total) for split in splits.values()):
            doubtful.add(form.target)
        if table.reads_csv:
            doubtful |= table.rejected()
        if doubtful:
            raise DisprovedError(doubtful)
        for name, split in splits.items():
            require_rows(PURPOSES[name], split.layout.rows, table.source)
        empty = splits["train"].summary.empty()
        if empty:
            raise DisprovedError(dropped={form.columns[place].name: EMPTY for place in empty})

    def _given(self, name: str, names: Sequence[str], form: TableForm, target: Target) -> tuple[Written, list[str]]:
        """A split that has files of its own, and notes about them; ``names`` are the training files' columns."""
        plain = {column.name for column in form.columns if column.kind == "number" and not column.form}
        table = self._table(name, [column for column in names if column not in plain])
        check_columns(table, form)
        table.load()
        target.accept_full_stops(table)
        notes = table.notes + target.drop_missing(table)
        rows = int(table.run("SELECT count(*) FROM t")[0][0])
        require_rows(PURPOSES[name], rows, table.source)
        written = Pass(self.folder, form, target, self.seed, self.memory).write(table, {name: rows}, all_in(name))[name]
        check_numbers(table, form, written.summary)
        return written, notes

    def _described(
        self,
        table: LargeTable,
        form: TableForm,
        classes: tuple[str, ...] | None,
        findings: Findings,
        written: Mapping[str, Written],
    ) -> dict[str, Any]:
        """The header, with findings from the head of each split."""
        heads = {
            name: StoredSplit(self.folder, name, split.layout, split.checksums).head()
            for name, split in written.items()
        }
        form = with_medians(form, heads["train"][0])
        spec = Spec("table", (len(form.columns),), len(classes or "1"), classes, "row", None, form)
        few = {name: (rows[:MOST_ROWS], targets[:MOST_ROWS]) for name, (rows, targets) in heads.items()}
        findings = findings.with_lines(hints(form.columns, *few["train"], classes), mark_to_beat(spec, few))
        training = written["train"].summary
        mean = training.total / training.rows
        std = max(0.0, training.squares / training.rows - mean**2) ** 0.5
        return {
            "about": f"{table.source}, to predict {self.question.target}",
            "table": asdict(form),
            "classes": classes,
            "target_mean": None if classes else [mean],
            "target_std": None if classes else [std if std > 1e-6 * abs(mean) else 1.0],
            "findings": list(findings),
            "splits": {name: plain_of(split.layout, split.checksums) for name, split in written.items()},
        }


def with_medians(form: TableForm, rows: Tensor) -> TableForm:
    """The columns with the median of each number and date among rows (rows, columns)."""
    medians = rows.nanmedian(0).values.nan_to_num()  # (columns,)
    columns = [
        column if column.kind == "category" else replace(column, typical=float(middle))
        for column, middle in zip(form.columns, medians, strict=True)
    ]
    return replace(form, columns=tuple(columns))
