"""Names, texts and options as DuckDB's SQL has them, and what it says of an error."""

from collections.abc import Mapping


def as_sql(options: Mapping[str, str]) -> str:
    """A function's options, by name, as SQL has them."""
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
