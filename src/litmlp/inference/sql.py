"""Names, texts and options as DuckDB's SQL has them, and what it says of an error."""

import re
from collections.abc import Mapping
from pathlib import Path

from litmlp.errors import Failure

ITS_OWN_COLUMNS = "hive_partitioning=false"  # of a file, and none of a folder called column=value


def as_sql(options: Mapping[str, str]) -> str:
    """A function's options, by name, as SQL has them."""
    return ", ".join(f"{name}={value}" for name, value in options.items())


def sql_text(text: str) -> str:
    """A text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"


def sql_path(path: Path) -> str:
    """The path of a file to write, as SQL has it; raises what :func:`require_utf8` does."""
    require_utf8(path)
    return sql_text(str(path))


def sql_file(path: Path) -> str:
    """The path of a file to read: brackets around what DuckDB would take for a pattern; raises as :func:`sql_path`."""
    return re.sub(r"[][*?]", r"[\g<0>]", sql_path(path))


def require_utf8(path: Path) -> None:
    """Raise a Failure if a path isn't UTF-8, and so nothing that DuckDB can open."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise Failure(f"{path}: DuckDB can't open a path that isn't UTF-8: choose another name") from None


def sql_name(name: str) -> str:
    """A column's name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def first_line(error: Exception) -> str:
    """The first line of DuckDB's message, without what it begins with."""
    text = str(error).strip().splitlines()[0]
    if "sniffing" in text:
        return "its delimiter and quotes can't be found out"
    return text.partition("Error: ")[2][:300] or text[:300]
