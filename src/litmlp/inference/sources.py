"""The files of a table, as the SQL that reads them."""

import os
from collections.abc import Collection, Sequence
from glob import glob, has_magic
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from litmlp.errors import Failure, UsageError
from litmlp.inference.dialects import LONG_LINES, Dialect, dialect_of, in_utf8, with_header
from litmlp.inference.sql import ITS_OWN_COLUMNS, as_sql, sql_file, sql_text

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BLOCK = 2**20  # bytes
BYTES_OF_PACKED_ROWS = 30  # each, as a guess
PACKED = (".gz", ".zst")
PARQUET = (".parquet", ".pq")
MOST_REJECTED = 1_000  # rows of a file that are kept to say why


class Source(NamedTuple):
    """A file of rows.

    Attributes:
        path: of the file, or of its copy in UTF-8.
        dialect: how it is written; None for Parquet.
    """

    path: Path
    dialect: Dialect | None

    def sql(self, numbers: Collection[str] = (), missing: Sequence[str] = (), first: bool = False) -> str:
        """The SQL of its rows, those of a CSV file as text.

        Args:
            numbers: columns of a CSV file that are read as numbers; rows where one of them isn't are rejected.
            missing: texts that stand for a missing number.
            first: whether only the first rows are asked for, and broken ones may be left out: it takes less memory.
        """
        if self.dialect is None:
            return f"read_parquet({sql_file(self.path)}, {ITS_OWN_COLUMNS})"
        delimiter, quote, escape, skip, has_header, names = self.dialect
        types = (f"{sql_text(name)}: '{'FLOAT' if name in numbers else 'VARCHAR'}'" for name in names)
        options = {
            "delim": sql_text(delimiter),
            "quote": sql_text(quote),
            "escape": sql_text(escape),
            "skip": str(skip),
            "header": str(has_header).lower(),
            "auto_detect": "false",
            "columns": "{" + ", ".join(types) + "}",
        }
        if numbers:
            options |= {"nullstr": f"[{', '.join(map(sql_text, missing))}]", "rejects_limit": str(MOST_REJECTED)}
        if first:
            options["ignore_errors"] = "true"
        else:
            options |= {"store_rejects": "true", **LONG_LINES}
        return f"read_csv({sql_file(self.path)}, {as_sql(options)}, {ITS_OWN_COLUMNS})"


def source_of(
    connection: "DuckDBPyConnection", path: Path, header: str | None, folder: Path, notes: list[str]
) -> Source:
    """How a file is read.

    Args:
        connection: to DuckDB.
        path: of a CSV or Parquet file.
        header: a name that is known to be in the header, if there is one.
        folder: for a copy in UTF-8.
        notes: is added to, a line for whatever one should know.

    Raises:
        Failure: if the file can't be read as a table.
    """
    if path.suffix.lower() in PARQUET:
        return Source(path, None)
    text = path if path.suffix in PACKED else in_utf8(path, folder, notes)
    dialect = dialect_of(connection, path, text)
    if header is not None and header not in dialect.names and path.suffix not in PACKED:
        dialect = with_header(text, header) or dialect
    if dialect.skip:
        lines = f"the first {dialect.skip} lines are" if dialect.skip > 1 else "line 1 is"
        notes.append(f"{path}: {lines} skipped")
    if not dialect.has_header:
        notes.append(f"{path}: there is no header, so the columns are {dialect.names[0]} to {dialect.names[-1]}")
    return Source(text, dialect)


def files_of(patterns: Sequence[str]) -> list[Path]:
    """The files of names or patterns, those of a pattern in order.

    Raises:
        UsageError: if there is none.
    """
    files: list[Path] = []
    for pattern in patterns:
        found = matches(pattern)
        if not found:
            raise UsageError(f"{pattern}: {why_no_file(pattern)}")
        files += map(Path, found)
    return files


def matches(pattern: str) -> list[str]:
    """The files of a pattern in order, or the one of this name, which may have brackets in it."""
    if os.path.isfile(pattern):  # noqa: PTH113 (unlike Path.is_file, it says no where there can't be such a file)
        return [pattern]
    found = glob(pattern, recursive=True) if has_magic(pattern) else []  # noqa: PTH207
    return sorted(name for name in found if os.path.isfile(name))  # noqa: PTH113


def why_no_file(name: str) -> str:
    """What to say of a name that is no file's."""
    if os.path.isdir(name):  # noqa: PTH112 (as above)
        return f"is a folder: name its files, as '{Path(name) / '*.csv'}'"
    if os.path.exists(name):  # noqa: PTH110
        return "isn't a regular file, which can be read more than once: copy it to one"
    return "there is no such file"


def about_how_many_rows(patterns: Sequence[str]) -> int:
    """About how many rows there are in files, or patterns of them, by their sizes; 0 if there is none.

    Raises:
        Failure: if one can't be read.
    """
    rows = 0
    for pattern in patterns:
        for name in matches(pattern):
            try:
                size = Path(name).stat().st_size
                with Path(name).open("rb") as file:
                    start = file.read(BLOCK)
            except OSError as error:
                raise Failure(f"can't read {name}: {error.strerror}") from None
            packed = Path(name).suffix.lower() in (*PACKED, *PARQUET)
            lines = start.count(b"\n") or start.count(b"\r")
            rows += size // BYTES_OF_PACKED_ROWS if packed else size * lines // max(1, len(start))
    return rows
