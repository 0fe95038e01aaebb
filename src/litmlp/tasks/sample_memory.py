"""How much memory samples may take, before they are kept in files and read from there, and how much tables would."""

import re
from collections.abc import Sequence
from pathlib import Path

from litmlp.cgroups import machine_memory
from litmlp.errors import Failure, UsageError
from litmlp.inference.sources import PACKED, PARQUET, files_of
from litmlp.inference.sql import first_line, sql_file
from litmlp.notes import note

SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?", re.IGNORECASE)
POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
LEAST = 1_000_000  # bytes
BYTES_A_CELL = 40  # that a table in memory takes while it is read, split and encoded: its text and three copies
BYTES_OF_TEXT = 6  # of a cell in a CSV file, with its delimiter, as a guess
PACKED_TIMES = 5  # that a packed CSV file is smaller


def memory_for_samples(asked: str | None) -> int | None:
    """The bytes that samples may take: as asked, or half of what there is; None where the system doesn't say.

    Raises:
        UsageError: if what is asked is no size.
    """
    if asked is not None:
        return parse_size(asked)
    available = machine_memory()
    return None if available is None else available // 2


def memory_if_exceeded(needed: int, asked: str | None) -> int | None:
    """The bytes that samples may take if they need more; None if they don't. Says so if they need what there isn't.

    Args:
        needed: bytes that they take in memory.
        asked: as ``--memory`` says it.
    """
    memory, available = memory_for_samples(asked), machine_memory()
    if memory is not None and needed > memory:
        return memory
    if available is not None and needed > available:
        has = f"{needed / 1e9:,.1f} GB in memory, and there are {available / 1e9:,.1f} GB"
        note(f"with --memory {asked} the samples take about {has}: if that isn't enough, start another run with less")
    return None


def parse_size(text: str) -> int:
    """The bytes of a size, such as 2GB, 500MB or 1.5GiB.

    Raises:
        UsageError: if it is none.
    """
    found = SIZE.fullmatch(text.strip())
    size = 0.0
    if found is not None:
        number, unit, binary = found.groups()
        size = float(number) * (1024 if binary else 1000) ** POWERS[unit.lower()]
    if not LEAST <= size < 2**60:
        raise UsageError(f"--memory {text}: must be a size from 1MB on, as 2GB")
    return int(size)


def default_memory() -> str | None:
    """Half of the memory that there is, as ``--memory`` says it, for a run to keep."""
    memory = memory_for_samples(None)
    return None if memory is None else f"{memory / 1e9:.1f}GB"


def bytes_in_memory(patterns: Sequence[str]) -> int:
    """About how many bytes a table would take in memory while it is read, split and encoded.

    Raises:
        UsageError: if there is no such file.
        Failure: if one can't be read.
    """
    cells = 0
    for path in files_of(patterns):
        try:
            size = path.stat().st_size
        except OSError as error:
            raise Failure(f"can't read {path}: {error.strerror}") from None
        if path.suffix.lower() in PARQUET:
            cells += parquet_cells(path)
        else:
            cells += size * (PACKED_TIMES if path.suffix in PACKED else 1) // BYTES_OF_TEXT
    return cells * BYTES_A_CELL


def parquet_cells(path: Path) -> int:
    """Rows times columns of a Parquet file.

    Raises:
        Failure: if it is none.
    """
    import duckdb  # noqa: PLC0415 (where no table is read it isn't needed)

    file = sql_file(path)
    query = f"SELECT num_rows, (SELECT count(*) FROM parquet_schema({file})) FROM parquet_file_metadata({file})"
    try:
        with duckdb.connect() as connection:
            ((rows, columns),) = connection.execute(query).fetchall()
    except duckdb.Error as error:
        raise Failure(f"{path} can't be read as a table: {first_line(error)}") from None
    return int(rows) * int(columns)
