"""How predict writes its answers: for people, or as JSON, CSV or Parquet for programs."""

import csv
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from litmlp.errors import UsageError, about, printable
from litmlp.files import regular_file, write_durably, writing
from litmlp.inference.dialects import LONG_LINES
from litmlp.inference.sources import PARQUET
from litmlp.inference.sql import ITS_OWN_COLUMNS, as_sql, require_utf8, sql_file, sql_path, sql_text

ENDINGS = {".csv": "csv", ".json": "json", ".txt": "text", **dict.fromkeys(PARQUET, "parquet")}
ADVICE = "make room or rights, or choose another --output"
TYPES = ("BIGINT", "DOUBLE", "VARCHAR")  # each has what those before it have
PLAIN_NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(?P<fraction>\.\d+)?", re.ASCII)  # that is read as it was written


class Answered(NamedTuple):
    """An input with its answer.

    Attributes:
        name: of the input, for people.
        words: the answer, for people.
        plain: input and answer by name, for JSON.
        columns: the same without lists, for a table.
    """

    name: str
    words: str
    plain: dict[str, Any]
    columns: dict[str, Any]


def format_of(asked: str | None, output: str | None) -> str:
    """The format of the answers: the one that is asked for, or that the file's ending says.

    Raises:
        UsageError: if the file has no known ending, or another one.
    """
    if output is None:
        if asked == "parquet":
            raise UsageError("--format parquet: name a file, as --output answers.parquet")
        return asked or "text"
    ending = Path(output).suffix.lower()
    if ending not in ENDINGS:
        raise UsageError(f"--output {output}: must end in one of {', '.join(ENDINGS)}")
    if asked not in (None, ENDINGS[ending]):
        raise UsageError(f"--output {output}: contradicts --format {asked}; leave one of them out")
    return ENDINGS[ending]


def write_answers(answers: Iterator[Answered], form: str, width: int, output: str | None) -> None:
    """Write the answers to stdout, each as soon as it is there, or to a file, which appears when it is complete.

    Args:
        answers: in order.
        form: text, json, csv or parquet.
        width: of the names, for people.
        output: the file.

    Raises:
        UsageError: if there is something under its name that isn't a file.
        Failure: if it can't be written.
    """
    if output is None:
        write(answers, form, width, sys.stdout)
        return
    with about("--output"):
        target = regular_file(Path(output))
        if form == "parquet":
            require_utf8(target)

    def write_file(path: Path) -> None:
        types = ColumnTypes()
        with path.open("w", encoding="utf-8", newline="") as file:
            write(types.noting(answers) if form == "parquet" else answers, form, width, file)
        if form == "parquet":
            to_parquet(path, types.found or {"prediction": TYPES[0]})

    with writing(Path(output), ADVICE):
        write_durably(target, write_file)


def write(answers: Iterator[Answered], form: str, width: int, stream: TextIO) -> None:
    """Write the answers in a format to a stream."""
    live = stream is sys.stdout
    if form == "text":
        for answer in answers:
            print(f"{printable(answer.name):{width}}  {printable(answer.words)}", file=stream, flush=live)
    elif form == "json":
        print("[", end="", file=stream)
        for number, answer in enumerate(answers):
            line = json.dumps(answer.plain, ensure_ascii=not answer.name.isprintable())
            print(f"{',' if number else ''}\n{line}", end="", file=stream, flush=live)
        print("\n]", file=stream)
    else:
        table = csv.writer(stream, lineterminator="\n")
        for number, answer in enumerate(answers):
            if number == 0:
                table.writerow(answer.columns)
            table.writerow(answer.columns.values())


class ColumnTypes:
    """The types that the columns of answers have in Parquet: text, unless all of a column's values are plain numbers.

    Attributes:
        found: DuckDB's type by column.
    """

    def __init__(self) -> None:
        self.found: dict[str, str] = {}

    def noting(self, answers: Iterator[Answered]) -> Iterator[Answered]:
        """Pass answers on, after a look at their columns."""
        for answer in answers:
            for name, value in answer.columns.items():
                self.found[name] = max(self.found.get(name, TYPES[0]), type_of(value), key=TYPES.index)
            yield answer


def type_of(value: Any) -> str:
    """The first of ``TYPES`` that has this value as it is written."""
    if value is None or value == "":
        return TYPES[0]
    if isinstance(value, str):
        digits = PLAIN_NUMBER.fullmatch(value)
        return TYPES[2] if digits is None else TYPES[1] if digits["fraction"] else TYPES[0]
    return TYPES[0] if type(value) is int and abs(value) < 2**63 else TYPES[1] if type(value) is float else TYPES[2]


def to_parquet(path: Path, types: Mapping[str, str]) -> None:
    """Turn a CSV file with a header into a Parquet file of the same name.

    Args:
        path: of the file.
        types: DuckDB's by column, in their order.
    """
    import duckdb  # noqa: PLC0415 (where no table is written it isn't needed)

    packed = path.with_name(f"{path.name}.parquet")
    columns = ", ".join(f"{sql_text(name)}: '{kind}'" for name, kind in types.items())
    options = {
        "header": "true",
        "auto_detect": "false",
        "delim": "','",
        "quote": "'\"'",
        "escape": "'\"'",
        "columns": f"{{{columns}}}",
        **LONG_LINES,
    }
    source = f"read_csv({sql_file(path)}, {as_sql(options)}, {ITS_OWN_COLUMNS})"
    try:
        with duckdb.connect() as connection:
            connection.execute(f"COPY (SELECT * FROM {source}) TO {sql_path(packed)} (FORMAT parquet)")
        packed.replace(path)
    finally:
        packed.unlink(missing_ok=True)
