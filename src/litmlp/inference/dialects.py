"""How a CSV file is written: its encoding, delimiter, quotes and header."""

import codecs
import csv
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from litmlp.errors import Failure
from litmlp.inference.sql import ITS_OWN_COLUMNS, as_sql, first_line, sql_file

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BLOCK = 2**20  # bytes
DELIMITERS = ",;\t|"
LONGEST_LINE = 64_000_000  # bytes
# DuckDB's buffers would be 16 times as long as a line.
LONG_LINES = {"max_line_size": str(LONGEST_LINE), "buffer_size": str(LONGEST_LINE)}
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
        f" FROM sniff_csv({sql_file(text)}, all_varchar=true, {ITS_OWN_COLUMNS}"
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
    return "cp1252" if decoder.getstate()[0] else encoding


def with_header(path: Path, header: str) -> Dialect | None:
    """How a file is written whose first line names a column; None if it doesn't, whatever the delimiter."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        line = file.readline(BLOCK)
    for delimiter in DELIMITERS:
        try:
            fields = next(csv.reader([line], delimiter=delimiter), [])
        except csv.Error:  # a field is longer than any name
            continue
        names = [name.strip() for name in fields]
        if header in names and all(names) and len(set(names)) == len(names):
            return Dialect(delimiter, '"', '"', 0, True, names)
    return None
