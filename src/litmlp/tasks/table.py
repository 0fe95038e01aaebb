"""Anybody's own table: CSV or Parquet files, and the column to predict."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, ClassVar

import numpy
import torch
from torch import Tensor

from litmlp.errors import Failure, UsageError
from litmlp.inference.encode import encode
from litmlp.inference.sources import about_how_many_rows, sql_name
from litmlp.inference.tables import TextTable
from litmlp.model.columns import TableForm
from litmlp.model.spec import Kind as SampleKind
from litmlp.tasks.contract import check_loaded
from litmlp.tasks.findings import Findings, hints, mark_to_beat
from litmlp.tasks.kinds import Kind, kind_of
from litmlp.tasks.labelled import labelled_rows, open_labelled
from litmlp.tasks.splits import require_rows, row_hashes, split_in_time, split_rows
from litmlp.tasks.table_schedule import schedule_for
from litmlp.tasks.target import Target, target_of
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
        batch_size: rows in a training step, on each process; by default such that an epoch has about 100 steps.
        seed: of everything random: the split, initial weights, order of the rows, dropout.
        data_dir: not looked at.

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
        self.asked = dict(columns or {})
        self.missing = tuple(missing)
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
        table = self._open("train")
        if table.load() == 0:
            raise Failure(f"{self._names('train')}: there are no rows")
        self._check_names(table)
        target = target_of(table, self.target_name, self.asked.get(self.target_name))
        self.findings = Findings(notes=table.notes + target.drop_missing(table))
        kinds = [self._kind(table, name) for name in table.names if name != self.target_name]
        features = [kind for kind in kinds if kind.kind != "ignore"]
        self._require_columns(features, {kind.name: kind.why for kind in kinds})
        rows = encode(table, columns := [provisional(table, kind) for kind in features])
        targets = target.encode(table)
        parts = self._split(table, rows, targets, target)
        columns, rows, dropped = final_columns(columns, rows, parts["train"])
        self._require_columns(columns, dropped)
        self.classes, self.sample_shape = target.classes, (len(columns),)
        self.table = TableForm(tuple(columns), self.target_name, self.missing)
        self.findings = self.findings.of_columns(kinds, dropped, target)
        for name, chosen in parts.items():
            self._keep(name, rows[chosen], targets[chosen])
        for name in ("val", "test"):
            if self.paths[name]:
                self._keep(name, *self._read(name, target))
        train, classes = self.splits["train"], self.classes
        self.findings = self.findings.with_lines(hints(columns, *train, classes), mark_to_beat(self.spec, self.splits))

    @classmethod
    def recommended_for(cls, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The recommended settings: the fewer rows there are, the more epochs, of about 100 steps each."""
        rows = about_how_many_rows(as_list(arguments["data"]))
        for name, fraction in (("test_data", TEST_FRACTION), ("validation_data", VALIDATION_FRACTION)):
            rows -= 0 if arguments[name] else int(fraction * rows)
        return {**cls.recommended, **schedule_for(rows)} if rows else cls.recommended

    def split(self, name: str) -> tuple[Tensor, Tensor]:
        """Rows and targets of ``train``, ``val`` or ``test``; a row is (columns,), see ``RowEncoder``."""
        self.prepare_data()
        return self.splits[name]

    def description(self) -> list[str]:
        """What was found in the table, and how well a linear model does."""
        return self.findings.lines()

    def _open(self, name: str) -> TextTable:
        return TextTable(self.paths[name], self.missing, self.target_name)

    def _names(self, name: str) -> str:
        return ", ".join(self.paths[name])

    def _check_names(self, table: TextTable) -> None:
        """Raise a UsageError if a flag names a column that there isn't."""
        flags = {"target": self.target_name, "group_by": self.group_by, "time_by": self.time_by}
        for flag, name in [*flags.items(), *(("columns", name) for name in self.asked)]:
            if name is not None and name not in table.names:
                lowered = {known.lower(): known for known in table.names}
                near = get_close_matches(name.lower(), lowered, n=1, cutoff=0.5)
                hint = f"did you mean {lowered[near[0]]}?" if near else f"there are {', '.join(table.names)[:300]}"
                raise UsageError(f"--{flag} {name}: there is no such column; {hint}")

    def _require_columns(self, columns: Sequence[Any], dropped: Mapping[str, str]) -> None:
        """Raise a Failure if no column is left."""
        if not columns:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in dropped.items())[:300]
            raise Failure(f"{self._names('train')}: no column is left to predict {self.target_name} from ({reasons})")

    def _kind(self, table: TextTable, name: str) -> Kind:
        asked = self.asked.get(name)
        if name == self.group_by and asked is None:
            return Kind(name, "ignore", "", "rows are grouped by it", 0)
        return kind_of(table, name, asked)

    def _split(self, table: TextTable, rows: Tensor, targets: Tensor, target: Target) -> dict[str, Tensor]:
        """The rows that are trained on, and those of the splits that have no files of their own."""
        groups, times = row_hashes(rows), None
        if self.group_by is not None:
            groups = torch.from_numpy(table.column(f"hash({sql_name(self.group_by)})").view(numpy.int64).copy())
        if self.time_by is not None:
            kind = kind_of(table, self.time_by, self.asked.get(self.time_by))
            if kind.kind not in ("number", "date"):
                raise UsageError(f"--time_by {self.time_by}: its values are neither numbers nor dates")
            times = encode(table, [provisional(table, kind)])[:, 0].nan_to_num(nan=-torch.inf)
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
