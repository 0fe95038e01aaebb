"""Large tables of numbers are read once: what the first rows decide, and what becomes of it when others differ."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy
import pytest
import torch

from litmlp import Failure
from litmlp.inference.dialects import Dialect
from litmlp.inference.sources import Source
from litmlp.tasks.arrow import StreamError, batches_of
from litmlp.tasks.leading_zeros import BLOCK, have_leading_zeros
from litmlp.tasks.summary import Summary
from litmlp.tasks.table import Table
from litmlp.tasks.table_pass import chunks_of
from tests.test_large_table import rows_of, table

ROWS = 12_000
LATE = ROWS - 500  # a row that isn't among the first ones
NAMES = ["a", "b", "customer_id", "delay"]
COLUMNS = 600
FIRST = "in the first 10,000 rows"

Rows = list[list[Any]]


def number_rows() -> Rows:
    """A fraction, a whole number with gaps, an id that isn't whole, and a target."""
    draw = numpy.random.RandomState(0)
    return [
        [f"{draw.rand():.4f}", "NA" if number % 9 == 0 else number % 7, number // 2 + 0.5, f"{draw.randn():.3f}"]
        for number in range(ROWS)
    ]


def as_csv(path: Path, rows: Rows) -> Path:
    path.write_text("\n".join(",".join(map(str, row)) for row in [NAMES, *rows]) + "\n", encoding="utf-8")
    return path


def from_files_and_in_memory(path: Path, folder: Path, **others: Any) -> Table:
    """The task that reads files, after a comparison with the one in memory: the same columns, and the same rows."""
    tasks = [table(path, folder, **{"memory": memory, **others}) for memory in ("1MB", "1GB")]
    columns, rows = [], []
    for task in tasks:
        task.prepare_data()
        assert task.table is not None
        columns.append([(column.name, column.kind, column.form, column.categories) for column in task.table.columns])
        rows.append(sorted(row for name in ("train", "val", "test") for row in rows_of(task, name)))
    assert [bool(task.stored) for task in tasks] == [True, False]
    assert columns[0] == columns[1]
    assert rows[0] == rows[1]
    assert tasks[0].classes == tasks[1].classes
    return tasks[0]


def first_decided(task: Table) -> list[str]:
    """The columns of which only the first rows were looked at before."""
    return [line.split()[1] for line in task.description() if FIRST in line]


def test_csv_files_of_numbers_are_read_once(tmp_path: Path) -> None:
    task = from_files_and_in_memory(as_csv(tmp_path / "t.csv", number_rows()), tmp_path)
    assert first_decided(task) == ["delay", "a", "b", "customer_id"]
    assert f"number           b            numbers, 7 different {FIRST}" in task.description()
    assert task.table is not None
    training = task.split("train")[0]
    for place, column in enumerate(task.table.columns):
        known = training[:, place][~training[:, place].isnan()]
        assert (column.low, column.high) == (float(known.min()), float(known.max()))
    sizes = [len(task.split(name)[0]) / ROWS for name in ("train", "val", "test")]
    assert sizes == pytest.approx([0.64, 0.16, 0.2], abs=0.02)


def change(row: int, column: int, value: object) -> Callable[[Rows], object]:
    """Sets one value."""
    return lambda rows: rows[row].__setitem__(column, value)


@pytest.mark.parametrize(
    ("changed", "left"),
    [
        (change(LATE, 1, "x7"), ["a", "customer_id"]),
        (change(LATE, 1, "007"), []),
        (change(LATE, 1, '"-01"'), []),
        (change(LATE, 1, "inf"), ["a", "customer_id"]),
        (change(LATE, 1, "1e300"), ["a", "customer_id"]),
        (change(LATE, 1, " 5 "), ["delay", "a", "b", "customer_id"]),
        (change(LATE, 1, " NA "), ["a", "customer_id"]),
        (change(3, 1, "x7"), ["a", "customer_id"]),
        (change(LATE, 1, " " * 3_000_000 + "5"), ["delay", "a", "b", "customer_id"]),
    ],
)
def test_a_late_value_that_is_no_number(changed: Callable[[Rows], object], left: list[str], tmp_path: Path) -> None:
    changed(rows := number_rows())
    task = from_files_and_in_memory(as_csv(tmp_path / "t.csv", rows), tmp_path)
    assert first_decided(task) == left


def test_a_text_that_says_nan_is_no_missing_number(tmp_path: Path) -> None:
    change(LATE, 1, "nan")(rows := number_rows())
    task = from_files_and_in_memory(as_csv(tmp_path / "t.csv", rows), tmp_path, missing=["NA"])
    assert first_decided(task) == ["a", "customer_id"]
    assert task.table is not None
    assert task.table.columns[1].kind == "category"


def test_a_wide_table_whose_first_rows_take_more_memory_than_duckdb_may_have(tmp_path: Path) -> None:
    columns = ", ".join(f"((range * {7919 + place}) % 10007 / 3)::FLOAT AS x{place}" for place in range(COLUMNS))
    query = f"SELECT {columns}, range::FLOAT / 3 AS delay FROM range({ROWS})"
    duckdb.execute(f"COPY ({query}) TO '{tmp_path}/wide.parquet'")
    task = table(tmp_path / "wide.parquet", tmp_path)
    task.prepare_data()
    assert len(first_decided(task)) == COLUMNS + 1
    assert sum(len(task.split(name)[0]) for name in ("train", "val", "test")) == ROWS


def test_a_late_line_that_is_broken(tmp_path: Path) -> None:
    rows = number_rows()
    rows[LATE].append(1)
    path = as_csv(tmp_path / "t.csv", rows)
    with pytest.raises(Failure, match=f"^{re.escape(str(path))}: line {LATE + 2} is broken: "):
        table(path, tmp_path).prepare_data()
    change(LATE + 7, 1, "x")(rows)
    with pytest.raises(Failure, match=f"^{re.escape(str(as_csv(path, rows)))}: line {LATE + 2} is broken: "):
        table(path, tmp_path).prepare_data()
    assert list((tmp_path / "cache").iterdir()) == []


def test_rows_without_a_target_are_left_out(tmp_path: Path) -> None:
    rows = number_rows()
    for row in (1, LATE, LATE + 1):
        change(row, 3, "NA")(rows)
    path = as_csv(tmp_path / "t.csv", rows)
    task = from_files_and_in_memory(path, tmp_path)
    assert f"{path}: 3 rows without a delay are left out" in task.description()
    assert len(first_decided(task)) == 4


def test_what_the_first_rows_dont_decide(tmp_path: Path) -> None:
    rows = [[row[0], 5, number, number % 3] for number, row in enumerate(number_rows())]
    task = from_files_and_in_memory(as_csv(tmp_path / "t.csv", rows), tmp_path)
    assert task.classes == ("0", "1", "2")
    assert first_decided(task) == ["a"]
    assert "left out         b            it has one value only" in task.description()
    assert (
        "left out         customer_id  all its whole numbers differ, and it is named like an id" in task.description()
    )


def test_a_column_that_no_training_row_has(tmp_path: Path) -> None:
    rows = [[row[0], number if number < 2 else "NA", *row[2:]] for number, row in enumerate(number_rows())]
    path = as_csv(tmp_path / "t.csv", rows)
    reasons = {}
    for seed in range(40):
        task = table(path, tmp_path, seed=seed)
        task.prepare_data()
        held_out = {number for name in ("val", "test") for number in task.split(name)[0][:, 1].tolist()}
        reasons[seed] = [line for line in task.description() if line.startswith("left out")]
        if reasons[seed]:
            assert reasons[seed] == ["left out         b            it is empty in all rows that are trained on"]
            assert task.table is not None
            assert [column.name for column in task.table.columns] == ["a", "customer_id"]
            assert len(first_decided(task)) == 3
            return
        assert {0, 1} - held_out
    pytest.fail("b was in the training rows of all seeds")


def test_rows_of_a_group_stay_on_one_side(tmp_path: Path) -> None:
    rows = [[row[0], f" g{number // 2 % 50} ", *row[2:]] for number, row in enumerate(number_rows())]
    task = table(as_csv(tmp_path / "t.csv", rows), tmp_path, group_by="b")
    task.prepare_data()
    sides = [{int(value) % 50 for value in task.split(name)[0][:, 1]} for name in ("train", "val", "test")]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 50
    assert first_decided(task) == ["delay", "a", "customer_id"]


def test_the_sides_of_two_seeds_have_nothing_to_do_with_each_other(tmp_path: Path) -> None:
    path = as_csv(tmp_path / "t.csv", number_rows())
    tested = []
    for seed in range(3):
        task = table(path, tmp_path, seed=seed, columns={"b": "ignore"})
        task.prepare_data()
        tested.append({tuple(row) for row in task.split("test")[0].tolist()})
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert len(tested[one] & tested[other]) / ROWS == pytest.approx(0.2**2, abs=0.01)


@pytest.mark.parametrize("value", ["'inf'::DOUBLE", "1e300"])
def test_a_late_number_in_parquet_that_is_none(value: str, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    b = f"CASE WHEN i = {LATE} THEN {value} ELSE i % 30 + 0.5 END"
    d = "CASE WHEN i % 7 = 0 THEN 'nan'::FLOAT ELSE (i % 999)::FLOAT END"
    query = f"SELECT random() AS a, {b} AS b, i::BIGINT AS c, {d} AS d, 1 AS delay FROM range({ROWS}) r(i)"
    duckdb.execute(f"COPY ({query}) TO '{path}'")
    task = table(path, tmp_path, columns={"delay": "ignore"}, target="a")
    task.prepare_data()
    assert first_decided(task) == ["c", "d"]
    assert task.table is not None
    assert [(column.name, column.kind) for column in task.table.columns] == [
        ("b", "category"), ("c", "number"), ("d", "number"),
    ]  # fmt: skip


def test_files_are_the_same_whatever_the_threads(tmp_path: Path) -> None:
    path = as_csv(tmp_path / "t.csv", number_rows())
    contents = []
    threads = torch.get_num_threads()
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            task = table(path, tmp_path / str(count))
            task.prepare_data()
            contents.append([file.read_bytes() for split in task.stored.values() for file in split.paths])
    finally:
        torch.set_num_threads(threads)
    assert contents[0] == contents[1]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a,b\n0.5,100\n-0.1,1e-05\n10,0\n", False),
        ("a,b\n2019-01-02,1.00\n", False),
        ("a,b\n1,007\n", True),
        ("a,b\n00,1\n", True),
        ("a,b\n1,-01\n", True),
        ('a,b\n1,"+05"\n', True),
        ("a,b\n1, 05\n", True),
        ("0x,01", True),
        ("01,a", True),
    ],
)
def test_numbers_with_leading_zeros_are_found(text: str, found: bool, tmp_path: Path) -> None:
    dialect = Dialect(",", '"', '"', 0, True, ["a", "b"])
    for before in (0, *range(BLOCK - len(text) - 4, BLOCK + 4)):
        path = tmp_path / "t.csv"
        path.write_text("5\n" * (before // 2) + "\n" * (before % 2) + text)
        assert have_leading_zeros([Source(path, dialect)]) is found


def test_a_stream_gives_all_values_in_order() -> None:
    values = "i::FLOAT AS a, i::BIGINT AS b, i / 3 AS c, (i % 200)::UTINYINT AS d"
    gaps = "CASE WHEN i % 3 > 0 THEN i::FLOAT END AS e, CASE WHEN i % 5 > 0 THEN i::INTEGER END AS f"
    query = f"SELECT {values}, {gaps} FROM range(300000) r(i)"
    parts = [[column.copy() for column in batch] for batch in batches_of(duckdb.sql(query))]
    assert len(parts) > 1
    a, b, c, d, e, f = (numpy.concatenate(part) for part in zip(*parts, strict=True))
    i = numpy.arange(300_000)
    assert [column.dtype for column in (a, b, c, d)] == ["f4", "i8", "f8", "u1"]
    for column, expected in ((a, i), (b, i), (c, i / 3), (d, i % 200)):
        assert numpy.array_equal(column, expected)
    assert numpy.array_equal(e, numpy.where(i % 3 > 0, i, numpy.nan), equal_nan=True)
    assert numpy.array_equal(f, numpy.where(i % 5 > 0, i, numpy.nan), equal_nan=True)
    assert list(batches_of(duckdb.sql("SELECT 1 AS a WHERE false"))) == []


def test_a_stream_that_breaks_says_so() -> None:
    query = "SELECT CASE WHEN i = 290000 THEN error('no more') ELSE i END::FLOAT AS a FROM range(300000) r(i)"
    with pytest.raises((StreamError, duckdb.Error), match="no more"):
        list(batches_of(duckdb.sql(query)))
    half = batches_of(duckdb.sql("SELECT i FROM range(10000000) r(i)"))
    assert next(half)[0][0] == 0
    half.close()


@pytest.mark.parametrize("sizes", [[10], [1] * 10, [4, 6], [7, 0, 3]])
def test_chunks_dont_depend_on_batches(sizes: list[int]) -> None:
    whole = numpy.arange(10)
    ends = numpy.cumsum(sizes)
    parts = [whole[end - size : end] for size, end in zip(sizes, ends, strict=True)]
    batches = [[part + add for add in (0, 100, 1e300, 200)] for part in parts]
    chunks = [(rows.tolist(), others.tolist()) for rows, others in chunks_of(iter(batches), 3, 4)]
    inf = float("inf")
    assert chunks == [
        ([[number, 100 + number, inf] for number in part], [[200 + number for number in part]])
        for part in ([0, 1, 2, 3], [4, 5, 6, 7], [8, 9])
    ]


def test_a_summary_is_that_of_all_rows() -> None:
    draw = torch.Generator().manual_seed(0)
    rows, targets = torch.randn(1_000, 3, generator=draw), torch.randn(1_000, 1, generator=draw)
    rows[5, 1] = torch.nan
    rows[:, 2] = torch.nan
    summary = Summary(3)
    for start, end in ((0, 0), (0, 7), (7, 200), (200, 1_000)):
        summary.add(rows[start:end], targets[start:end])
    known = rows[:, 1][~rows[:, 1].isnan()]
    assert summary.low[:2].tolist() == [float(rows[:, 0].min()), float(known.min())]
    assert summary.high[:2].tolist() == [float(rows[:, 0].max()), float(known.max())]
    assert summary.has_gaps.tolist() == [False, True, True]
    assert (summary.empty(), summary.infinite(), summary.rows) == ([2], [], 1_000)
    assert summary.total == pytest.approx(float(targets.double().sum()))
    assert summary.squares == pytest.approx(float(targets.double().square().sum()))
    summary.add(torch.tensor([[-torch.inf, 0, torch.inf]]), torch.zeros(1, 1))
    assert summary.infinite() == [0, 2]
