"""The files of a table: their encoding and their dialect, as the SQL that reads them."""

import codecs
import csv
import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from glob import glob, has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from litmlp.errors import Failure, UsageError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BLOCK = 2**20  # bytes
BYTES_OF_PACKED_ROWS = 30  # each, as a guess
DELIMITERS = ",;\t|"
LONGEST_LINE = 64_000_000  # bytes
# DuckDB's buffers would be 16 times as long as a line.
LONG_LINES = {"max_line_size": str(LONGEST_LINE), "buffer_size": str(LONGEST_LINE)}
PACKED = (".gz", ".zst")
PARQUET = (".parquet", ".pq")
MOST_REJECTED = 1_000  # rows of a file that are kept to say why
NONE_FOUND = "(empty)"  # what DuckDB says of a quote


class Dialect(NamedTuple):
    """How a CSV file is written.

    Attributes:
        delimiter: between fields.
        quote: around fields.
        escape: before a quote within quotes.
        skip: lines before the header.
        has_header: whether the columns' names are there.
        names: of the columns, made up where there is no header.
    """

    delimiter: str
    quote: str
    escape: str
    skip: int
    has_header: bool
    names: list[str]


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
            return f"read_parquet({sql_text(str(self.path))})"
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
        return f"read_csv({sql_text(str(self.path))}, {as_sql(options)})"


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


def in_utf8(path: Path, folder: Path, notes: list[str]) -> Path:
    """The file, or a copy of it in UTF-8; raises what :func:`encoding_of` does."""
    encoding = encoding_of(path)
    if encoding == "utf-8":
        return path
    notes.append(f"{path} is read as {encoding}")
    copy = folder / str(len(notes)) / path.name
    copy.parent.mkdir()
    with (
        path.open(encoding=encoding, errors="replace", newline="") as source,
        copy.open("w", encoding="utf-8", newline="") as target,
    ):
        while block := source.read(BLOCK):
            target.write(block)
    return copy


def dialect_of(connection: "DuckDBPyConnection", path: Path, text: Path) -> Dialect:
    """How a file is written.

    Args:
        connection: to DuckDB.
        path: the file's own.
        text: the file, or its copy in UTF-8.

    Raises:
        Failure: if DuckDB can't tell.
    """
    import duckdb  # noqa: PLC0415 (where no table is read it isn't needed)

    query = (
        "SELECT Delimiter, Quote, Escape, SkipRows, HasHeader, Columns"
        f" FROM sniff_csv({sql_text(str(text))}, all_varchar=true"
    )
    long = as_sql(LONG_LINES)  # takes four times as long
    found = None
    for options in (")", f", {long})"):
        if found is None:
            with suppress(duckdb.Error):
                found = connection.execute(f"{query}{options}").fetchone()
    if found is None or is_doubtful(found):
        try:
            tolerant = connection.execute(f"{query}, {long}, ignore_errors=true)").fetchone()
        except duckdb.Error as error:
            raise Failure(f"{path} can't be read as a table: {first_line(error)}") from None
        found = tolerant if found is None or (tolerant is not None and len(tolerant[5]) > 1) else found
    assert found is not None
    delimiter, quote, escape, skip, has_header, columns = found
    quote = '"' if quote == NONE_FOUND else quote
    escape = quote if escape == NONE_FOUND else escape
    return Dialect(delimiter, quote, escape, skip, has_header, [column["name"] for column in columns])


def is_doubtful(found: tuple[Any, ...]) -> bool:
    """Whether a dialect may only be one that fits all lines because a few of them are broken.

    So it is with a single column that has another delimiter in its name, and with lines that are skipped, but not up to
    a header.
    """
    columns, skip, has_header = found[5], found[3], found[4]
    single = len(columns) == 1 and any(mark in columns[0]["name"] for mark in DELIMITERS)
    return single or (skip > 0 and not has_header)


def files_of(patterns: Sequence[str]) -> list[Path]:
    """The files of names or patterns, those of a pattern in order.

    Raises:
        UsageError: if there is none.
    """
    files: list[Path] = []
    for pattern in patterns:
        # Unlike Path.exists, this one says no where there can't be such a file.
        found = sorted(glob(pattern, recursive=True)) if has_magic(pattern) else [pattern]  # noqa: PTH207
        found = [name for name in found if os.path.isfile(name)]  # noqa: PTH113
        if not found:
            raise UsageError(f"{pattern}: there is no such file")
        files += map(Path, found)
    return files


def about_how_many_rows(patterns: Sequence[str]) -> int:
    """About how many rows there are in files, or patterns of them, by their sizes; 0 if there is none.

    Raises:
        Failure: if one can't be read.
    """
    rows = 0
    for pattern in patterns:
        for name in glob(pattern, recursive=True) if has_magic(pattern) else [pattern]:  # noqa: PTH207
            if not os.path.isfile(name):  # noqa: PTH113
                continue
            try:
                size = Path(name).stat().st_size
                with Path(name).open("rb") as file:
                    start = file.read(BLOCK)
            except OSError as error:
                raise Failure(f"can't read {name}: {error.strerror}") from None
            packed = Path(name).suffix.lower() in (*PACKED, *PARQUET)
            rows += size // BYTES_OF_PACKED_ROWS if packed else size * start.count(b"\n") // max(1, len(start))
    return rows


def encoding_of(path: Path) -> str:
    """The encoding of a file of text: UTF-8, UTF-16 with its mark, or else Windows' for western languages.

    Raises:
        Failure: if it can't be read, or is no text.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    encoding = "utf-8"
    try:
        with path.open("rb") as file:
            if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
                return "utf-16"
            file.seek(0)
            while block := file.read(BLOCK):
                if b"\0" in block:
                    raise Failure(f"{path} isn't a table: it is no text")
                if encoding == "utf-8" and not (block.isascii() and not decoder.getstate()[0]):
                    try:
                        decoder.decode(block)
                    except UnicodeDecodeError:
                        encoding = "cp1252"
    except OSError as error:
        raise Failure(f"can't read {path}: {error.strerror}") from None
    return encoding


def with_header(path: Path, header: str) -> Dialect | None:
    """How a file is written whose first line names a column; None if it doesn't, whatever the delimiter."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        line = file.readline(BLOCK)
    for delimiter in DELIMITERS:
        names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
        if header in names and all(names) and len(set(names)) == len(names):
            return Dialect(delimiter, '"', '"', 0, True, names)
    return None


def as_sql(options: Mapping[str, str]) -> str:
    """Options as SQL has them."""
    return ", ".join(f"{name}={value}" for name, value in options.items())


def sql_text(text: str) -> str:
    """A text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"


def sql_name(name: str) -> str:
    """A column's name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def first_line(error: Exception) -> str:
    """The first line of DuckDB's message, without what it begins with."""
    text = str(error).strip().splitlines()[0]
    if "sniffing" in text:
        return "its delimiter and quotes can't be found out"
    return text.partition("Error: ")[2][:300] or text[:300]
