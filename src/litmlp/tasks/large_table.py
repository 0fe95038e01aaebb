"""Tables that don't fit into memory: DuckDB keeps a copy on the disk, or reads Parquet files where they lie."""

import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from weakref import finalize

from litmlp.cache import ADVICE
from litmlp.errors import Failure
from litmlp.inference.rows import OVERFLOW
from litmlp.inference.sources import PARQUET, about_how_many_rows
from litmlp.inference.sql import ITS_OWN_COLUMNS, sql_file, sql_name, sql_text
from litmlp.inference.tables import TextTable
from litmlp.tasks.arrow import StreamError, batches_of

WHOLE = {f"{sign}{size}" for sign in ("", "U") for size in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")}
FEW_ENOUGH = 100_000  # different values to be counted exactly
TOGETHER = 20  # columns whose different values are counted in one query
FIRST_ROWS = 10_000  # by which columns are taken for numbers, until another row proves otherwise
FLOATS = {"FLOAT", "DOUBLE"}
LEAST_MEMORY, MOST_MEMORY = 400_000_000, 4_000_000_000  # bytes for DuckDB
A_THREAD = 100_000_000  # bytes of these, of which a buffer of CSV takes most


class LargeTable(TextTable):
    """The rows of files, of which DuckDB has no more in memory than it may.

    Columns of numbers are numbers, not text, in its table ``t``, unless a text that stands for a missing value looks
    like a number. That table is a view.

    Args:
        paths: the files, or patterns of them.
        missing: texts that stand for a missing value.
        header: a name that is known to be in the header.
        folder: for DuckDB's files, which are deleted with this object.
        memory: bytes for samples, of which DuckDB may take half.
        as_text: names of columns whose text is asked for, whatever they look like.

    Raises:
        UsageError: if there is no such file.
        Failure: if one can't be read as a table.
    """

    def __init__(
        self,
        paths: Sequence[str],
        missing: Sequence[str],
        header: str,
        folder: Path,
        memory: int,
        as_text: Collection[str],
    ) -> None:
        self.place, self.patterns = folder, paths
        self.memory = min(MOST_MEMORY, max(LEAST_MEMORY, memory // 2))
        self.as_text = as_text
        self.below = "raw"  # what t is a view of
        self.reads_csv = False  # whether a query of t does, instead of a copy
        self.layers: list[tuple[str, str]] = []  # of SQL, around that of the rows
        super().__init__(paths, missing, header)
        threads = int(self.run("SELECT current_setting('threads')")[0][0])
        self.run(f"SET threads = {min(threads, self.memory // A_THREAD)}")
        self.in_place = all(path.suffix.lower() in PARQUET for path in self.files)
        if self.in_place:
            names = ", ".join(sql_file(path) for path in self.files)
            self.below = f"(SELECT * FROM read_parquet([{names}], union_by_name=true, {ITS_OWN_COLUMNS}))"
            self.run("SET parquet_metadata_cache = true")
        self.numbers: set[str] = set()
        if not any(is_number(text) for text in missing):
            whole = {name for name, kind in self.types.items() if kind in WHOLE | FLOATS}
            self.numbers = whole if self.in_place else self._look_like_numbers()
        self.values = {name: self._value(name) if self.in_place else sql_name(name) for name in self.names}

    @property
    def source(self) -> str:
        """The names of the files, or their patterns."""
        return ", ".join(self.patterns)

    def failure(self, error: Exception) -> Failure:
        """What to say of DuckDB's error: of one in writing, where there is no room."""
        if "write" not in str(error):
            return super().failure(error)
        return Failure(f"can't write {self.place} ({str(error).rpartition(': ')[2]}): {ADVICE}")

    def make_folder(self) -> Path:
        """The folder for DuckDB's files."""
        folder = Path(mkdtemp(prefix="reading-", dir=self.place))
        finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.database = str(folder / "rows.duckdb")
        return folder

    def limits(self) -> dict[str, str]:
        """A share of the memory."""
        return {"memory_limit": f"{self.memory // 1_000_000}MB"}

    def _value(self, name: str) -> str:
        """The SQL of a value in a file: a number, or trimmed text; NULL where it is missing."""
        column = sql_name(name)
        if name in self.numbers:
            return f"CASE WHEN isnan({column}) THEN NULL ELSE {column} END" if self.types[name] in FLOATS else column
        missing, text = ", ".join(map(sql_text, self.missing)), f"trim({column}::VARCHAR)"
        return f"CASE WHEN {text} IN ({missing}) THEN NULL ELSE {text} END"

    def text(self, name: str) -> str:
        """The SQL of a column's text in ``t``."""
        return f"{sql_name(name)}::VARCHAR" if name in self.numbers else sql_name(name)

    def load(self) -> int:
        """Make ``t``, of CSV files with a copy of their text on the disk: how many rows it has.

        Raises:
            Failure: if a row has too many or too few fields, or can't be read.
        """
        if not self.in_place:
            self.numbers -= set(self.as_text)
            self._copy()
            if self.numbers and (texts := self._texts_among_numbers()):
                self.numbers -= texts
                self._copy()
        self._make_view()
        return int(self.run(f"SELECT count(*) FROM {self.below}")[0][0])

    def load_for_one_query(self) -> int:
        """Make ``t`` of files where they lie: about how many rows it has. A missing number is NULL, or NaN.

        All columns of CSV files that look like numbers are read as such, and where they say nan it is infinite. Rows
        where one is no number at all are left out; :meth:`rejected` names these columns.
        """
        if self.in_place:
            self.values |= {name: sql_name(name) for name in self.numbers}
            self._make_view()
            return int(self.run(f"SELECT count(*) FROM {self.below}")[0][0])
        parts = (source.sql(self.numbers, self.missing) for source in self.sources)
        self.below = f"({' UNION ALL BY NAME '.join(f'SELECT * FROM {part}' for part in parts)})"
        self.values = {name: self._finite(name) if name in self.numbers else self._value(name) for name in self.names}
        self.reads_csv = True
        self._make_view()
        return about_how_many_rows([str(source.path) for source in self.sources])

    def rejected(self) -> set[str]:
        """The columns of which :meth:`load_for_one_query` has met a value that is no number.

        Raises:
            Failure: if a row has too many or too few fields.
        """
        found = self.run("SELECT DISTINCT column_name FROM reject_errors WHERE error_type = 'CAST'")
        if not found:
            for path, problem in self.ragged().items():
                raise Failure(f"{path}: {problem}")
        return {name for (name,) in found}

    def _copy(self) -> None:
        """Copy the rows to the table ``raw``; what is no number in a column of numbers becomes NaN."""
        values = (self._number(name) if name in self.numbers else self.known(name) for name in self.names)
        asked = ", ".join(f"{value} AS {sql_name(name)}" for name, value in zip(self.names, values, strict=True))
        self.show_progress()
        self.run(f"CREATE OR REPLACE TABLE raw AS SELECT {asked} FROM ({self.query})")
        self.show_progress(False)  # the conversion has a line of its own
        for path, problem in self.ragged().items():
            raise Failure(f"{path}: {problem}")

    def _finite(self, name: str) -> str:
        """The SQL of a number that a CSV file is read as; infinite where it says nan."""
        return f"CASE WHEN isnan({sql_name(name)}) THEN 'inf'::FLOAT ELSE {sql_name(name)} END"

    def _number(self, name: str) -> str:
        """The SQL of a number in a CSV file; NULL where it is missing, NaN if it is none, or has leading zeros."""
        text = sql_name(name)
        number = f"TRY_CAST({text} AS DOUBLE)"
        zeros = " OR ".join(f"({text} >= '{sign}00' AND {text} < '{sign}0:')" for sign in ("", "-", "+"))
        missing = ", ".join(map(sql_text, self.missing))
        is_number = f"abs({number}) < {OVERFLOW} AND NOT ({zeros})"
        return f"CASE WHEN {is_number} THEN {number} WHEN {text} IN ({missing}) THEN NULL ELSE 'nan'::DOUBLE END"

    def _look_like_numbers(self) -> set[str]:
        """The columns that have numbers, or nothing, in the first rows of a CSV file, which become ``first``."""
        numbers = ", ".join(f"{self._number(name)} AS {sql_name(name)}" for name in self.names)
        rows = self.rows_of(source.sql(first=True) for source in self.sources)
        self.run(f"CREATE TEMP TABLE first AS SELECT {numbers} FROM (SELECT * FROM ({rows}) LIMIT {FIRST_ROWS})")
        wrong = ", ".join(f"count(CASE WHEN isnan({sql_name(name)}) THEN 1 END)" for name in self.names)
        found = self.run(f"SELECT {wrong} FROM first")[0]
        return {name for name, count in zip(self.names, found, strict=True) if not count}

    def _texts_among_numbers(self) -> set[str]:
        """The columns that were taken for numbers, and have something else as well."""
        ordered = sorted(self.numbers)
        wrong = ", ".join(f"count(CASE WHEN isnan({sql_name(name)}) THEN 1 END)" for name in ordered)
        found = self.run(f"SELECT {wrong} FROM {self.below}")[0]
        return {name for name, count in zip(ordered, found, strict=True) if count}

    def _make_view(self) -> None:
        self.run(f"CREATE OR REPLACE VIEW t AS {self.select()}")

    def select(self) -> str:
        """The SQL of the rows of ``t``."""
        values = ", ".join(f"{value} AS {sql_name(name)}" for name, value in self.values.items())
        rows = f"SELECT {values} FROM {self.below}"
        for before, after in self.layers:
            rows = f"{before} FROM ({rows}) {after}"
        return rows

    def distinct(self, columns: Mapping[str, tuple[int, int]]) -> dict[str, int]:
        """How many different values columns have: exactly where they are few; if nearly all differ, all."""
        few = [name for name, (about, _) in columns.items() if about < FEW_ENOUGH]
        found = {name: known if about > 0.9 * known else about for name, (about, known) in columns.items()}
        for start in range(0, len(few), TOGETHER):
            group = few[start : start + TOGETHER]
            counts = ", ".join(f"count(DISTINCT {sql_name(name)})" for name in group)
            found |= zip(group, self.run(f"SELECT {counts} FROM t")[0], strict=True)
        return found

    def keep(self, condition: str) -> None:
        """Leave out the rows for which the SQL condition doesn't hold."""
        self.layers.append(("SELECT *", f"WHERE {condition}"))
        self._make_view()

    def replace(self, name: str, value: str, condition: str) -> None:
        """Give a column the SQL value where the condition holds."""
        column = sql_name(name)
        self.layers.append((f"SELECT * REPLACE (CASE WHEN {condition} THEN {value} ELSE {column} END AS {column})", ""))
        self._make_view()

    def batches(self, values: Sequence[str]) -> Iterator[list[Any]]:
        """Arrays (rows,) of the numbers that the SQL values give for the rows of ``t``, some rows at a time, in order.

        A NULL is NaN. They are only valid until the next are asked for.

        Raises:
            Failure: if a file can't be read after all.
        """
        asked = ", ".join(f"{value} AS v{place}" for place, value in enumerate(values))
        try:
            yield from batches_of(self.connection.sql(f"SELECT {asked} FROM t"))
        except (self.error, StreamError) as error:
            raise self.failure(error) from None


def is_number(text: str) -> bool:
    """Whether a text is a finite number."""
    try:
        return abs(float(text)) < float("inf")
    except ValueError:
        return False
