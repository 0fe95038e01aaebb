"""Files of tables: dialects, encodings, kinds of columns, and the numbers that their text becomes."""

import math
import os
import sys
from datetime import date
from pathlib import Path

import duckdb
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from litmlp import Failure, UsageError
from litmlp.inference.encode import encode
from litmlp.inference.rows import rows_from
from litmlp.inference.tables import TextTable
from litmlp.model.columns import Column, TableForm
from litmlp.tasks.kinds import Kind, kind_of


def table_of(tmp_path: Path, content: str | bytes, **options) -> TextTable:
    path = tmp_path / "table.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    table = TextTable([str(path)], **options)
    table.load()
    return table


def column_of(tmp_path: Path, *values: str) -> TextTable:
    return table_of(tmp_path, "x,y\n" + "".join(f'"{value}",1\n' for value in values), missing=("NA",))


def kind(tmp_path: Path, *values: str, asked: str | None = None) -> Kind:
    return kind_of(column_of(tmp_path, *values), "x", asked)


def test_reading_shows_its_progress_on_a_terminal_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ours, theirs = os.openpty()
    shown: list[bool] = []
    for place in (theirs, os.open(tmp_path / "elsewhere", os.O_CREAT | os.O_WRONLY)):
        with os.fdopen(place, "w", encoding="utf-8") as stdout, monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", stdout)
            table = table_of(tmp_path, "a,b\n1,2\n")
        shown += table.run("SELECT current_setting('enable_progress_bar')")[0]
    os.close(ours)
    with duckdb.connect() as connection:  # which shows it by itself where Python is interactive
        (default,) = connection.execute("SELECT current_setting('enable_progress_bar')").fetchone() or ()
    assert shown == [True, default]


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,x y\n2,z\n",
        "a;b\n1;x y\n2;z\n",
        "a\tb\r\n1\tx y\r\n2\tz\r\n",
        "a|b\n1|x y\n2|z",
        '"a","b"\n"1"," x y "\n"2","z"\n',
        "\ufeffa,b\n1,x y\n2,z\n",
    ],
)
def test_a_dialect_is_found(tmp_path: Path, content: str):
    table = table_of(tmp_path, content)
    assert table.names == ["a", "b"]
    assert table.run("SELECT a, b FROM t") == [("1", "x y"), ("2", "z")]
    assert table.notes == []


@pytest.mark.parametrize(("encoding", "read_as"), [("cp1252", "cp1252"), ("utf-16", "utf-16"), ("utf-8", None)])
def test_an_encoding_is_found_and_said(tmp_path: Path, encoding: str, read_as: str | None):
    table = table_of(tmp_path, "größe,ort\n1,Köln – Süd\n2,Łódź\n".replace("Łódź", "Ulm").encode(encoding))
    assert table.run('SELECT "größe", ort FROM t') == [("1", "Köln – Süd"), ("2", "Ulm")]
    assert table.notes == ([f"{tmp_path / 'table.csv'} is read as {read_as}"] if read_as else [])


def test_quotes_that_come_late_delimiters_within_and_line_breaks(tmp_path: Path):
    rows = "".join(f"{number},plain\n" for number in range(30_000))
    table = table_of(tmp_path, f'a,b\n{rows}7,"with, ""quotes""\nand a break"\n')
    assert table.run("SELECT count(*) FROM t") == [(30_001,)]
    assert table.run("SELECT b FROM t WHERE b <> 'plain'") == [('with, "quotes"\nand a break',)]


def test_several_files_and_parquet_are_one_table(tmp_path: Path):
    (tmp_path / "1.csv").write_text("a,b\n1,x\n")
    (tmp_path / "2.csv").write_text("b;a\ny;2\n")
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT 3 AS a, 'z' AS b) TO '{tmp_path / '3.parquet'}' (FORMAT parquet)")
    table = TextTable([str(tmp_path / "*.csv"), str(tmp_path / "3.parquet")])
    assert table.load() == 3
    assert table.run("SELECT a, b FROM t") == [("1", "x"), ("2", "y"), ("3", "z")]


def test_a_header_of_words_is_known_by_the_target(tmp_path: Path):
    content = "colour,taste\nred,sweet\ngreen,sour\n"
    assert table_of(tmp_path, content, header="taste").run("SELECT * FROM t") == [("red", "sweet"), ("green", "sour")]
    table = table_of(tmp_path, "1,2,u\n3,4,v\n", header="taste")
    assert table.names == ["column0", "column1", "column2"]
    assert table.notes == [f"{tmp_path / 'table.csv'}: there is no header, so the columns are column0 to column2"]


def test_ragged_rows_are_named_by_their_lines(tmp_path: Path):
    content = "a,b,y\n1,2,u\n3,4\n" + "5,6,v\n" * 9 + "7,8,u,9\n"
    with pytest.raises(Failure, match=r"table.csv: line 3 is broken: .*Found: 2; so are lines 13$"):
        table_of(tmp_path, content, header="y")
    table = table_of(tmp_path, content, header="y", skip_ragged=True)
    assert table.run("SELECT count(*), min(a), max(b) FROM t") == [(10, "1", "6")]
    assert list(table.ragged().values()) == [
        "line 3 is broken: Expected Number of Columns: 3 Found: 2; so are lines 13"
    ]


@pytest.mark.parametrize("rows", [9, 12_000])
@pytest.mark.parametrize(("last", "found"), [("7,8", 2), ("7,8,u,v,9,9", 4)])
def test_a_broken_last_line_is_named_and_not_taken_for_the_table(tmp_path: Path, rows: int, last: str, found: int):
    content = "a,b,y\n" + "1,2,u\n" * rows + last + "\n"
    expected = f"table.csv: line {rows + 2} is broken: Expected Number of Columns: 3 Found: {found}$"
    with pytest.raises(Failure, match=expected):
        table_of(tmp_path, content, header="y")


@pytest.mark.parametrize("content", [bytes(range(256)) * 4, b"a,b\n1,\0\n"])
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes):
    with pytest.raises(Failure, match="table.csv isn't a table: it is no text"):
        table_of(tmp_path, content)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_folder_called_like_a_column_gives_it_no_values(tmp_path: Path, ending: str):
    folder = tmp_path / "b=q"
    folder.mkdir()
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT 1 AS a, 'r' AS b) TO '{folder / f't.{ending}'}'")
    for pattern in (str(folder / f"t.{ending}"), str(tmp_path / "*=q" / f"*.{ending}")):
        table = TextTable([pattern])
        assert table.load() == 1
        assert (table.names, table.run("SELECT * FROM t")) == (["a", "b"], [("1", "r")])


def test_names_that_differ_in_case_only_are_refused(tmp_path: Path):
    (tmp_path / "1.csv").write_text("a,y\n1,2\n")
    (tmp_path / "2.csv").write_text("a,Y\n1,2\n")
    with pytest.raises(Failure, match=r"2.csv: Y and y are one column: spell them alike$"):
        TextTable([str(tmp_path / "*.csv")])


def test_a_broken_line_is_of_the_file_that_has_it(tmp_path: Path):
    for folder, lines in (("a", "a,y\n1,2\n"), ("b", "a,y\n1,2\n1,2,3\n")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.csv").write_text(lines)
    table = TextTable([str(tmp_path / "*" / "same.csv")])
    with pytest.raises(Failure, match=r"b/same.csv: line 3 is broken: Expected Number of Columns: 2 Found: 3$"):
        table.load()


def test_a_last_byte_alone_makes_the_encoding(tmp_path: Path):
    table = table_of(tmp_path, b"a,b\n1,x\n2,caf\xe9")
    assert table.run("SELECT b FROM t") == [("x",), ("café",)]
    assert table.notes == [f"{tmp_path / 'table.csv'} is read as cp1252"]


@pytest.mark.parametrize(("name", "other"), [("d[1]", "d1"), ("d*1", "dx1"), ("d?", "dx"), ("[d]]", "d]")])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_file_that_is_called_like_a_pattern_is_itself(tmp_path: Path, name: str, other: str, ending: str):
    for place, value in ((name, 1), (other, 2)):
        with duckdb.connect() as connection:
            connection.execute(f"COPY (SELECT {value} AS a) TO '{tmp_path / 'new'}' (FORMAT {ending})")
        (tmp_path / "new").rename(tmp_path / f"{place}.{ending}")
    table = TextTable([str(tmp_path / f"{name}.{ending}")])
    table.load()
    assert table.run("SELECT * FROM t") == [("1",)]


def test_a_first_line_of_a_single_long_field_is_no_header(tmp_path: Path):
    assert "y" not in table_of(tmp_path, '"' + "x" * 200_000 + '"\n' + '"z"\n', header="y").names


def test_files_that_arent_there_are_refused(tmp_path: Path):
    for name in ("nothing.csv", "no*.csv", "a\0b", "x" * 300):
        with pytest.raises(UsageError, match="there is no such file"):
            TextTable([name])


def test_names_and_values_are_no_sql(tmp_path: Path):
    name = '"; DROP TABLE t; --'
    table = table_of(tmp_path, f'"{name.replace(chr(34), chr(34) * 2)}",y\n"\'); DROP TABLE t; --",1\nb,2\n')
    assert table.names == [name, "y"]
    assert kind_of(table, name).kind == "category"
    column = Column(name, "category", categories=("'); DROP TABLE t; --", "b"))
    assert encode(table, [column]).tolist() == [[0.0], [1.0]]


@pytest.mark.parametrize(
    ("values", "expected", "form"),
    [
        (["1", "2.5", "-3e4", "NA"], "number", ""),
        (["1", "", "1"], "number", ""),
        (["01", "02", "10", "10"], "category", ""),
        (["1,234", "5", "12,345.5", "5"], "number", "1,234.5"),
        (["1.234,5", "5", "6,7", "5"], "number", "1.234,5"),
        (["1,5", "2,25", "2,25"], "number", "1.234,5"),
        (["1,234", "1.5,3", "5", "5"], "category", ""),
        (["2024-01-31", "2024-02-01", "2024-02-01"], "date", "%Y-%m-%d"),
        (["31.1.2024", "1.2.2024", "1.2.2024"], "date", "%d.%m.%Y"),
        (["1/31/2024", "2/1/2024", "2/1/2024"], "date", "%m/%d/%Y"),
        (["2024-01-31T12:00:00Z", "2024-02-01T00:00:00Z"], "date", "%Y-%m-%dT%H:%M:%SZ"),
        (["2024-01-31", "1.2.2024", "1.2.2024"], "category", ""),
        (["true", "false", "NA"], "category", ""),
        (["inf", "1", "1"], "category", ""),
        (["k", "k", "k"], "ignore", ""),
        (["NA", "", "NA"], "ignore", ""),
        ([f"name {number}" for number in range(30)], "ignore", ""),
    ],
)
def test_kinds(tmp_path: Path, values: list[str], expected: str, form: str):
    found = kind(tmp_path, *values)
    assert (found.kind, found.form) == (expected, form)


def test_all_rows_decide_not_the_first(tmp_path: Path):
    assert kind(tmp_path, *["1"] * 5_000, "two").kind == "category"
    assert kind(tmp_path, *["2024-01-01"] * 5_000, "2024-13-01").kind == "category"


@pytest.mark.parametrize("name", ["id", "PassengerId", "customer_id", "ID"])
def test_whole_numbers_that_all_differ_and_are_named_like_an_id_are_left_out(tmp_path: Path, name: str):
    table = table_of(tmp_path, f"{name},width\n" + "".join(f"{number},{number}\n" for number in range(30)))
    assert kind_of(table, name) == Kind(
        name, "ignore", "", "all its whole numbers differ, and it is named like an id", 30, True
    )
    assert kind_of(table, "width").kind == "number"
    assert kind_of(table, name, "number").kind == "number"


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ("number", "--columns {x: number}: 'b' is none (and 0 more): ignore it, or clean it"),
        ("date", "--columns {x: date}: '1' is none (and 1 more): ignore it, or clean it"),
        ("%d.%m.%Y", "--columns {x: %d.%m.%Y}: '1' is none (and 1 more): ignore it, or clean it"),
        ("text", "--columns {x: text}: must be number, category, date, ignore, or the format of dates, as %d.%m.%Y"),
    ],
)
def test_what_a_column_cant_be(tmp_path: Path, asked: str, line: str):
    with pytest.raises(UsageError) as caught:
        kind(tmp_path, "1", "b", asked=asked)
    assert str(caught.value) == line


NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(10**40), 10**40).map(str),
    st.text("0123456789.,+-eE_ x", max_size=8),
    st.sampled_from(["nan", "inf", "-Infinity", "1_000", "0x1F", "٣", "1e39", "-1e39", "1e-50", " 7 ", "NA", ""]),
)
DATES = st.one_of(
    st.dates(date(1000, 1, 1)).map(lambda day: day.strftime("%d.%m.%Y")),  # before 1000 they differ about zeros
    st.dates(date(1000, 1, 1)).map(str),
    st.sampled_from(["31.02.2024", "1.2.2024", "x", "2024-02-30", "NA", "", "2024-02-29 12:30:00"]),
)
COLUMNS = [
    Column("plain", "number"),
    Column("english", "number", form="1,234.5"),
    Column("german", "number", form="1.234,5"),
    Column("day", "date", form="%d.%m.%Y"),
    Column("town", "category", categories=("Bonn", "Ulm")),
]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(NUMBERS, NUMBERS, NUMBERS, DATES, st.sampled_from(["Bonn", "Ulm", "ulm", "Rom", "NA", ""])),
        min_size=1,
        max_size=8,
    )
)
@example([("+-1", "+ -1", "++1", "2024-02-30", "Bonn")])
@example([("1", "1", "1", "2024-02-29T01:30:00+05:00", "Bonn")])
@example([("3.40282356e38", "3.4000000000000003e+38", "-3,40282356e38", "2024-02-30", "Bonn")])
@example([("3.40282357e38", "3.4028236e38", "-3,4028236e38", "2024-02-30", "Bonn")])
def test_many_rows_in_sql_and_single_ones_in_python_are_read_alike(tmp_path: Path, rows: list[tuple[str, ...]]):
    header = ",".join(column.name for column in COLUMNS)
    lines = [",".join(f'"{value}"' for value in row) for row in rows]
    table = table_of(tmp_path, "\n".join([header, *lines]) + "\n", missing=("NA",), header="plain")
    encoded = encode(table, COLUMNS)
    for row, numbers in zip(rows, encoded.tolist(), strict=True):
        for column, value, number in zip(COLUMNS, row, numbers, strict=True):
            form = TableForm((column,), "y", ("NA",))
            if math.isinf(number):
                with pytest.raises(Failure, match=rf"^row 0: {column.name} is a {column.kind}"):
                    rows_from(form, [{column.name: value}])
            else:
                alone = rows_from(form, [{column.name: value}])
                torch.testing.assert_close(alone, torch.tensor([[number]]), equal_nan=True, rtol=1e-6, atol=0)


def test_values_of_json_are_read_as_the_text_that_they_would_be():
    form = TableForm(
        (Column("a", "number"), Column("b", "category", categories=("1", "False", "True", "x"))), "y", ("NA",)
    )
    rows = [{"a": a, "b": b} for a, b in [(1, 1), (2.5, 1.0), ("3", True), (None, "x"), ("NA", None), (0, "y")]]
    expected = [[1, 0], [2.5, 0], [3, 2], [math.nan, 3], [math.nan, math.nan], [0, 4]]
    torch.testing.assert_close(rows_from(form, rows), torch.tensor(expected), equal_nan=True)


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ([], "the rows must be a list of at least one"),
        ("a", "the rows must be a list of at least one"),
        ([1], "row 0 must be a mapping of the columns' names to values"),
        ([{"b": 1}], "row 0 lacks a, c: give null for what isn't known"),
        ([{"a": [1], "b": 1, "c": 1}], "row 0: a must be a number, a text or null"),
        ([{"a": "one", "b": 1, "c": 1}], "row 0: a is a number such as 0, but 'one' is none"),
        ([{"a": float("inf"), "b": 1, "c": 1}], "row 0: a is a number such as 0, but 'inf' is none"),
        ([{"a": 10**400, "b": 1, "c": 1}], "row 0: a must be a number, a text or null"),
        ([{"a": 1, "b": 1, "c": "2024"}], "row 0: c is a date, written as %d.%m.%Y, but '2024' is none"),
    ],
)
def test_rows_that_cant_be(rows: object, line: str):
    form = TableForm(
        (Column("a", "number"), Column("b", "category", categories=("1",)), Column("c", "date", form="%d.%m.%Y")), "y"
    )
    with pytest.raises(Failure) as caught:
        rows_from(form, rows)
    assert str(caught.value) == line
