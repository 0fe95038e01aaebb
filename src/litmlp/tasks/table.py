"""Anybody's own table: CSV or Parquet files with a header, of which one column is predicted from the others."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy
import torch
from torch import Tensor

from litmlp.errors import Failure, UsageError
from litmlp.inference.encode import encode
from litmlp.inference.sources import about_how_many_rows
from litmlp.inference.sql import sql_name
from litmlp.inference.tables import TextTable
from litmlp.model.columns import TableForm
from litmlp.model.spec import Kind as SampleKind
from litmlp.model.spec import Settings
from litmlp.model.statistics import Statistics
from litmlp.tasks.analysis import Question, analyse, require_columns, time_kind
from litmlp.tasks.contract import check_loaded
from litmlp.tasks.converted_table import ConvertedTable, converted_table
from litmlp.tasks.findings import Findings, hints, mark_to_beat
from litmlp.tasks.labelled import labelled_rows, open_labelled
from litmlp.tasks.sample_memory import bytes_in_memory, default_memory, memory_for_samples, memory_if_exceeded
from litmlp.tasks.splits import require_rows, row_hashes, split_in_time, split_rows, without_frequent
from litmlp.tasks.table_schedule import schedule_for
from litmlp.tasks.target import Target
from litmlp.tasks.task import Task
from litmlp.tasks.vocabulary import final_columns, provisional

MISSING = ("NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "#N/A", "<NA>", "?")
TEST_FRACTION = VALIDATION_FRACTION = 0.2  # of all rows, and of those that aren't tested on


class Table(Task):
    """Predicts a column of a table in CSV or Parquet files from the others. Values may be missing.

    A fifth of the rows is the test set, and a fifth of the others validates, unless there are files for that. Rows that
    are the same stay on one side.

    Args:
        data: the files to learn from, or a pattern such as 'houses/*.csv'.
        target: the column to predict. Numbers make a regression; text, or two values, make classes.
        test_data: files of their own to test on.
        validation_data: files of their own to validate on.
        columns: what columns are, where that isn't found as you want it, e.g. '{zip: category, id: ignore, built:
            date}': number, category, date, ignore, or the format of dates. That of the target chooses between a
            regression (number) and classes (category).
        missing: texts that stand for a missing value, besides empty ones.
        group_by: a column whose rows of one value stay together in a split, such as a patient. It is no input.
        time_by: a column that orders the rows in time: the latest are tested on, those before them validated on.
        memory: what the rows may take, as 2GB; by default half of what the machine, or a container's limit, gives. A
            larger table is converted once to files in ``data_dir``, and read from there while it trains. A run keeps
            the value that it was begun with, since the order of the rows depends on it.
        batch_size: rows in a training step, on each process; by default such that an epoch has about 100 steps.
        seed: of everything random: the split, initial weights, order of the rows, dropout.
        data_dir: folder for the converted rows of a table that is larger than memory.

    Raises:
        UsageError: if a value is out of its range, or the files to learn from aren't named.
    """

    kind: SampleKind | None = "row"
    recommended: ClassVar[dict[str, Any]] = {
        "hidden": [384, 384],
        "bins": 48,
        "members": 8,
        "dropout": 0.1,
        "optimizer": "adamw",
        "lr": 2e-3,
        "weight_decay": 0.1,
        "schedule": "cosine",
        "max_epochs": 60,
        "precision": "bf16-mixed",
    }
    search_space: ClassVar[dict[str, Any]] = {
        "lr": [3e-4, 1e-2, "log"],
        "dropout": [0, 0.4],
        "weight_decay": [0.01, 1, "log"],
        "hidden": [[256, 256], [384, 384], [512, 512]],
        "bins": [16, 64],
        "embedding": [8, 24],
        "members": [4, 16],
    }

    def __init__(
        self,
        data: list[str] | str | None = None,
        target: str | None = None,
        test_data: list[str] | str | None = None,
        validation_data: list[str] | str | None = None,
        columns: dict[str, str] | None = None,
        missing: list[str] = list(MISSING),  # noqa: B006 (shown in --help, and never changed)
        group_by: str | None = None,
        time_by: str | None = None,
        memory: str | None = None,
        batch_size: int = 256,
        seed: int = 0,
        data_dir: str = "data",
    ) -> None:
        super().__init__(batch_size, seed, data_dir)
        if not data:
            raise UsageError("--task table: name the files to learn from, as --data houses.csv")
        if not target:
            raise UsageError("--task table: name the column to predict, as --target price")
        self.paths = {"train": as_list(data), "val": as_list(validation_data), "test": as_list(test_data)}
        self.target_name = target
        self.missing = tuple(missing)
        self.question = Question(target, dict(columns or {}), self.missing, group_by, time_by)
        self.memory = memory
        self.converted: ConvertedTable | None = None
        memory_for_samples(memory)
        self.group_by, self.time_by = group_by, time_by
        self.findings = Findings()

    def prepare_data(self) -> None:
        """Read the files, find out what the columns are, and split the rows.

        Raises:
            UsageError: if a flag doesn't fit the table.
            Failure: if the files can't be learned from.
        """
        if self.splits:
            return
        needed = bytes_in_memory([path for paths in self.paths.values() for path in paths])
        if (memory := memory_if_exceeded(needed, self.memory)) is not None:
            self._keep_stored(memory)
            return
        table = TextTable(self.paths["train"], self.missing, self.target_name)
        if table.load() == 0:
            raise Failure(f"{self._names('train')}: there are no rows")
        target, kinds, features, findings = analyse(table, self.question)
        rows = encode(table, columns := [provisional(table, kind) for kind in features])
        targets = target.encode(table)
        parts = self._split(table, rows, targets, target)
        columns, rows, dropped = final_columns(columns, rows, parts["train"])
        require_columns(table, self.question, columns, dropped)
        self.classes, self.sample_shape = target.classes, (len(columns),)
        self.table = TableForm(tuple(columns), self.target_name, self.missing)
        self.findings = findings.of_columns(kinds, dropped, target)
        for name, chosen in parts.items():
            self._keep(name, rows[chosen], targets[chosen])
        for name in ("val", "test"):
            if self.paths[name]:
                self._keep(name, *self._read(name, target))
        train, classes = self.splits["train"], self.classes
        self.findings = self.findings.with_lines(hints(columns, *train, classes), mark_to_beat(self.spec, self.splits))

    @classmethod
    def recommended_for(cls, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The recommended settings: the fewer rows there are, the more epochs, of about 100 steps each; and memory."""
        rows = about_how_many_rows(as_list(arguments["data"]))
        for name, fraction in (("test_data", TEST_FRACTION), ("validation_data", VALIDATION_FRACTION)):
            rows -= 0 if arguments[name] else int(fraction * rows)
        memory = {"memory": default_memory()}
        return {**cls.recommended, **memory, **schedule_for(rows)} if rows else cls.recommended

    def split(self, name: str) -> tuple[Tensor, Tensor]:
        """Rows and targets of ``train``, ``val`` or ``test``; a row is (columns,), see ``RowEncoder``."""
        self.prepare_data()
        return self.splits[name]

    def description(self) -> list[str]:
        """What was found in the table, and how well a linear model does."""
        return self.findings.lines()

    def statistics(self, settings: Settings) -> Statistics:
        """What a network of these settings standardises and encodes by."""
        return super().statistics(settings) if self.converted is None else self.converted.statistics(settings)

    def _keep_stored(self, memory: int) -> None:
        """Find the rows converted, or convert them."""
        converted = self.converted = converted_table(self.question, self.paths, self.seed, memory, self.data_dir)
        self.classes, self.table = converted.classes, converted.table
        self.sample_shape = (len(converted.table.columns),)
        self.stored = converted.splits
        self.splits = {name: split.tensors for name, split in self.stored.items()}
        self.findings = converted.findings

    def _names(self, name: str) -> str:
        return ", ".join(self.paths[name])

    def _split(self, table: TextTable, rows: Tensor, targets: Tensor, target: Target) -> dict[str, Tensor]:
        """The rows that are trained on, and those of the splits that have no files of their own."""
        times = None
        if self.group_by is not None:
            groups = torch.from_numpy(table.column(f"hash({sql_name(self.group_by)})").view(numpy.int64).copy())
        else:
            groups = without_frequent(row_hashes(rows))
        if self.time_by is not None:
            times = encode(table, [provisional(table, time_kind(table, self.question))])[:, 0].nan_to_num(
                nan=-torch.inf
            )
        strata = targets if target.classes else torch.zeros(len(rows))
        left, parts = torch.arange(len(rows)), {}
        for draw, (name, fraction) in enumerate({"test": TEST_FRACTION, "val": VALIDATION_FRACTION}.items()):
            if self.paths[name]:
                continue
            if times is not None:
                stays, off = split_in_time(times[left], fraction)
            else:
                stays, off = split_rows(groups[left], strata[left], fraction, self.seed, draw)
            left, parts[name] = left[stays], left[off]
            require_rows({"test": "test on", "val": "validate on"}[name], len(off), self._names("train"))
        require_rows("train on", len(left), self._names("train"))
        return {"train": left, **parts}

    def _read(self, name: str, target: Target) -> tuple[Tensor, Tensor]:
        """Rows and targets of a split that has files of its own.

        Raises:
            Failure: if they don't fit the columns that were learned from.
        """
        assert self.table is not None
        found = labelled_rows(open_labelled(self.paths[name], self.table), self.table, target)
        self.findings = self.findings.with_notes(found.notes)
        return found.rows, found.targets

    def _keep(self, name: str, rows: Tensor, targets: Tensor) -> None:
        self.splits[name] = check_loaded((rows, targets), self.spec, f"{self._names('train')}, the {name} split")


def as_list(value: list[str] | str | None) -> list[str]:
    """A flag's value that may be a list, one item or nothing, as a list."""
    return [value] if isinstance(value, str) else list(value or ())
