"""Tables in files: CSV in any dialect, or Parquet, read by DuckDB as text; kinds are decided elsewhere.

DuckDB is one library without dependencies that finds out delimiter, quotes and header, was the most robust reader in
the Pollock benchmark, and reads in a stream. It is imported only where a table's file is read.
"""

import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any
from weakref import finalize

from litmlp.errors import Failure
from litmlp.inference.sources import files_of, source_of
from litmlp.inference.sql import first_line, require_utf8, sql_name, sql_text
from litmlp.notes import is_first_process

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LINES_NAMED = 5


class TextTable:
    """The rows of files that have the same columns, as text without blanks around it. NULL is a missing value.

    Args:
        paths: the files, or patterns of them.
        missing: texts that stand for a missing value.
        header: a name that is known to be in the header, if there is one.
        skip_ragged: whether rows with too many or too few fields are left out, instead of refused.

    Attributes:
        files: the paths of all files.
        names: of the columns.
        sources: how each file is read.
        types: theirs in the files, as DuckDB calls them; text where files differ.
        query: the SQL of all rows, with what stands for a missing value as it is written.
        notes: what one should know about how the files were read, a line each.

    Raises:
        UsageError: if there is no such file.
        Failure: if one can't be read as a table.
    """

    database = ":memory:"

    def __init__(
        self,
        paths: Sequence[str],
        missing: Sequence[str] = (),
        header: str | None = None,
        skip_ragged: bool = False,
    ) -> None:
        import duckdb  # noqa: PLC0415 (where no table is read it isn't needed)

        self.error: type[Exception] = duckdb.Error
        self.folder = self.make_folder()
        require_utf8(self.folder)
        config: dict[str, Any] = {"temp_directory": str(self.folder), "autoinstall_known_extensions": False}
        self.connection: DuckDBPyConnection = duckdb.connect(self.database, config={**config, **self.limits()})
        # It takes a time quadratic in the columns (DuckDB 2.0): 99 s for 500 of them.
        self.connection.execute("SET disabled_optimizers = 'in_clause'")
        finalize(self, self.connection.close)  # before the folder is deleted: Windows keeps what is open
        self.skip_ragged = skip_ragged
        self.notes: list[str] = []
        self.files = files_of(paths)
        self.sources = [source_of(self.connection, path, header, self.folder, self.notes) for path in self.files]
        self.types = self._types()
        self.names = list(self.types)
        self.missing = ("", *missing)
        self.query = self.rows_of(source.sql() for source in self.sources)

    def rows_of(self, parts: Iterable[str]) -> str:
        """The SQL of all rows as text without blanks around it, of that of each file's rows."""
        trimmed = ", ".join(f"trim({name}::VARCHAR) AS {name}" for name in map(sql_name, self.names))
        return f"SELECT {trimmed} FROM ({' UNION ALL BY NAME '.join(f'SELECT * FROM {part}' for part in parts)})"

    def make_folder(self) -> Path:
        """A folder for what DuckDB has no room for, which is deleted with this object."""
        folder = Path(mkdtemp(prefix="litmlp-"))
        finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return folder

    def limits(self) -> dict[str, str]:
        """What DuckDB is allowed."""
        return {}

    @property
    def source(self) -> str:
        """The names of the files."""
        return ", ".join(map(str, self.files))

    def known(self, name: str) -> str:
        """The SQL of a column's text, NULL where that stands for a missing value."""
        missing = ", ".join(map(sql_text, self.missing))
        return f"CASE WHEN {sql_name(name)} IN ({missing}) THEN NULL ELSE {sql_name(name)} END"

    def text(self, name: str) -> str:
        """The SQL of a column's text in a loaded table, where that may have numbers as such."""
        return sql_name(name)

    def _types(self) -> dict[str, str]:
        types: dict[str, str] = {}
        spelled: dict[str, str] = {}
        for path, source in zip(self.files, self.sources, strict=True):
            try:
                description = self.connection.execute(f"DESCRIBE SELECT * FROM {source.sql()}").fetchall()
            except self.error as error:
                raise Failure(f"{path} can't be read as a table: {first_line(error)}") from None
            for name, kind, *_ in description:
                if not name.isprintable():
                    raise Failure(f"{path}: the column {name!r} can't be printed: rename it")
                if spelled.setdefault(name.lower(), name) != name:
                    raise Failure(f"{path}: {name} and {spelled[name.lower()]} are one column: spell them alike")
                types[name] = kind if types.get(name, kind) == kind else "VARCHAR"
        return types

    def load(self) -> int:
        """Keep the rows in memory, as the table ``t``: how many there are.

        Raises:
            Failure: if a row has too many or too few fields, or can't be read.
        """
        self.show_progress()
        known = ", ".join(f"{self.known(name)} AS {sql_name(name)}" for name in self.names)
        self.run(f"CREATE TABLE t AS SELECT {known} FROM ({self.query})")
        if not self.skip_ragged:
            for path, problem in self.ragged().items():
                raise Failure(f"{path}: {problem}")
        return int(self.run("SELECT count(*) FROM t")[0][0])

    def show_progress(self, wanted: bool = True) -> None:
        """Show DuckDB's own bar on a terminal, or no longer, for each query that takes more than two seconds."""
        if sys.stdout.isatty() and is_first_process():
            self.run(f"SET enable_progress_bar = {str(wanted).lower()}")

    def distinct(self, columns: Mapping[str, tuple[int, int]]) -> dict[str, int]:
        """How many different values columns of a loaded table have.

        Args:
            columns: of each, about how many there are, and how many values aren't missing.
        """
        return {name: int(self.run(f"SELECT count(DISTINCT {sql_name(name)}) FROM t")[0][0]) for name in columns}

    def keep(self, condition: str) -> None:
        """Drop the rows of a loaded table for which the SQL condition doesn't hold."""
        self.run(f"CREATE OR REPLACE TABLE t AS SELECT * FROM t WHERE {condition}")

    def replace(self, name: str, value: str, condition: str) -> None:
        """Set a column of a loaded table to the SQL value where the condition holds."""
        self.run(f"UPDATE t SET {sql_name(name)} = {value} WHERE {condition}")

    def run(self, query: str) -> list[tuple[Any, ...]]:
        """The rows that a query gives.

        Raises:
            Failure: if a file can't be read after all.
        """
        try:
            return self.connection.execute(query).fetchall()
        except self.error as error:
            raise self.failure(error) from None

    def failure(self, error: Exception) -> Failure:
        """What to say of DuckDB's error."""
        return Failure(f"{self.source} can't be read as a table: {first_line(error)}")

    def column(self, value: str) -> Any:
        """An array (rows,) of what the SQL ``value`` gives for each row of a loaded table."""
        try:
            return self.connection.execute(f"SELECT {value} AS v FROM t").fetchnumpy()["v"]
        except self.error as error:
            raise self.failure(error) from None

    def stream(self, query: str, rows: int) -> Iterator[list[tuple[Any, ...]]]:
        """The rows that a query gives, in lists of a few thousand; raises what :meth:`run` does."""
        try:
            result = self.connection.execute(query)
            while chunk := result.fetchmany(rows):
                yield chunk
        except self.error as error:
            raise self.failure(error) from None

    def ragged(self) -> dict[str, str]:
        """What is wrong in each file that has rows with too many or too few fields, or that are broken otherwise."""
        query = (
            "SELECT file_path, line, error_message FROM reject_errors JOIN reject_scans USING (scan_id, file_id)"
            " GROUP BY ALL ORDER BY line"
        )
        try:
            found = self.connection.execute(query).fetchall()
        except self.error:  # there is no such table before the first CSV file was read
            return {}
        problems = {}
        names = {str(source.path): str(path) for source, path in zip(self.sources, self.files, strict=True)}
        for file in dict.fromkeys(row[0] for row in found):
            own: dict[int, str] = {}
            for name, line, message in found:
                if name == file:
                    own.setdefault(line, message)
            (first, reason), *rest = own.items()
            others = ", ".join(str(line) for line, _ in rest[:LINES_NAMED])
            more = f"; so are lines {others}{', …' if len(rest) > LINES_NAMED else ''}" if others else ""
            problems[names.get(file, file)] = f"line {first} is broken: {reason.splitlines()[0][:200]}{more}"
        return problems
