"""The task ``table``: what it finds, how it splits, and that its runs are exact, answer, and refuse what can't be."""

import csv
import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy
import pytest
import torch

from litmlp import Failure, Network, UsageError, load
from litmlp.commands import export, fit, predict
from litmlp.commands import test as test_command
from litmlp.commands.answer_formats import Answered, write_answers
from litmlp.inference.rows import rows_from
from litmlp.model.columns import Column, TableForm
from litmlp.model.loading import weights_sha256
from litmlp.model.spec import Settings, Spec
from litmlp.model.statistics import statistics_of
from litmlp.randomness import generator
from litmlp.runs import Run
from litmlp.settings.command_line import read_command
from litmlp.tasks import linear
from litmlp.tasks.splits import row_hashes, split_in_time, split_rows, without_frequent
from litmlp.tasks.table import Table
from litmlp.tasks.table_schedule import batch_size_for
from tests.conftest import ROOT, Fit, curves, script
from tests.test_resume import break_off, differences, points_everywhere

HEADER = "rooms,town,built,price\n"
SMALL = ["--hidden=[8]", "--bins=4", "--embedding=3", "--members=2", "--max_epochs=3"]


def houses(rows: int = 200) -> str:
    """A table of houses, with gaps, a date, rare towns and a price that depends on all columns."""
    draw = numpy.random.RandomState(0)
    lines = []
    for number in range(rows):
        rooms, town = draw.randint(1, 9), ["Bonn", "Ulm", "Köln", f"village {number}"][min(3, draw.randint(0, 13) // 4)]
        year, month = draw.randint(1950, 2020), draw.randint(1, 13)
        price = 20_000 * rooms + {"Bonn": 90_000, "Ulm": 50_000}.get(town, 0) + 1_000 * (year - 1950)
        lines.append(f"{'NA' if draw.rand() < 0.1 else rooms},{town},{year}-{month:02}-01,{price}")
    return HEADER + "\n".join(lines) + "\n"


@pytest.fixture
def houses_csv(tmp_path: Path) -> Path:
    path = tmp_path / "houses.csv"
    path.write_text(houses(), encoding="utf-8")
    return path


def form_of(network: Network) -> TableForm:
    """The columns that a network takes."""
    assert network.spec.table is not None
    return network.spec.table


def columns_of(task: Table) -> tuple[Column, ...]:
    """The columns that a task has found."""
    assert task.table is not None
    return task.table.columns


def write_parquet(query: str, path: Path) -> None:
    """Write what a query gives."""
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")


def table(tmp_path: Path, content: str, target: str = "y", **flags) -> Table:
    path = tmp_path / "table.csv"
    path.write_text(content, encoding="utf-8")
    task = Table(data=str(path), target=target, **flags)
    task.prepare_data()
    return task


def test_what_is_found_is_said_with_the_reason(tmp_path: Path):
    rows = [
        f"{number},{number},{number % 3},{'ab'[number % 2]},name {number},7,{10 + number % 7},{'uv'[number % 2]}"
        for number in range(40)
    ]
    task = table(tmp_path, "id,size,kind,twin,name,same,grade,y\n" + "\n".join(rows) + "\n1,1,1,a,x,7,9,\n")
    assert task.description() == [
        f"{tmp_path / 'table.csv'}: 1 rows without a y are left out",
        "target           y      2 different values: classes",
        "number           size   numbers, 40 different",
        "number           kind   numbers, 3 different",
        "category         twin   text, 2 different",
        "number           grade  numbers, 7 different",
        "left out         id     all its whole numbers differ, and it is named like an id",
        "left out         name   text, and all its 40 values differ",
        "left out         same   it has one value only",
        "note: twin alone nearly gives the target away: if it isn't known when you predict, leave it out, with"
        " --columns '{twin: ignore}'",
        "to beat          always u: val/accuracy 0.5000; a linear model: val/accuracy 1.000",
    ]
    assert task.spec.classes == ("u", "v")
    assert [column.name for column in columns_of(task)] == ["size", "kind", "twin", "grade"]


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        (["yes", "no"], ("no", "yes")),
        (["0", "1"], ("0", "1")),
        (["10", "9"], ("9", "10")),
        (["1", "2", "3"], ("1", "2", "3")),
        (["3", "4", "5"], None),
        (["0.5", "1", "2"], None),
        (["b", "a", "C"], ("C", "a", "b")),
    ],
)
def test_the_target_is_classes_or_a_number(tmp_path: Path, values: list[str], classes: tuple[str, ...] | None):
    content = "x,y\n" + "".join(f"{number % 11},{values[number % len(values)]}\n" for number in range(60))
    assert table(tmp_path, content).spec.classes == classes
    asked = "number" if classes and values[0].isdecimal() else "category"
    other = table(tmp_path, content, columns={"y": asked}).spec.classes
    assert (other is None) == (asked == "number")


def test_splits_are_stratified_disjoint_and_the_seeds(tmp_path: Path):
    content = "x,y\n" + "".join(f"{number},{'rare' if number % 10 == 0 else 'often'}\n" for number in range(1000))
    seen: dict[int, list[float]] = {}
    for seed in (0, 0, 1):
        task = table(tmp_path, content, seed=seed)
        splits = {name: task.split(name) for name in ("train", "val", "test")}
        assert {name: len(rows) for name, (rows, _) in splits.items()} == {"train": 640, "val": 160, "test": 200}
        assert {name: int((targets == 1).sum()) for name, (_, targets) in splits.items()} == {
            "train": 64, "val": 16, "test": 20,
        }  # fmt: skip
        values = [float(value) for rows, _ in splits.values() for value in rows[:, 0]]
        assert sorted(values) == list(range(1000))
        assert seen.setdefault(seed, values) == values
    assert seen[0] != seen[1]


def test_rows_that_are_the_same_stay_on_one_side(tmp_path: Path):
    content = "x,z,y\n" + "".join(f"{number % 50},{'a' if number % 50 else ''},{number % 2}\n" for number in range(500))
    task = table(tmp_path, content)
    sides = [{tuple(map(str, row)) for row in task.split(name)[0].tolist()} for name in ("train", "val", "test")]
    assert sum(map(len, sides)) == 50 == len(set.union(*sides))


def test_groups_stay_together_and_are_no_input(tmp_path: Path):
    content = "who,x,y\n" + "".join(f"p{number % 20},{number},{number % 2}\n" for number in range(400))
    task = table(tmp_path, content, group_by="who")
    people = [{int(value) % 20 for value in task.split(name)[0][:, 0]} for name in ("train", "val", "test")]
    assert sorted(person for side in people for person in side) == list(range(20))
    assert [column.name for column in columns_of(task)] == ["x"]


def test_the_latest_rows_are_tested_on(tmp_path: Path):
    days = [f"{number % 28 + 1:02}.{number // 28 % 12 + 1:02}.20{number // 336:02},{number}" for number in range(1000)]
    content = "day,number,y\n" + "".join(f"{day},{index % 2}\n" for index, day in enumerate(reversed(days)))
    task = table(tmp_path, content, time_by="day")
    ranges = [task.split(name)[0][:, 1].aminmax() for name in ("train", "val", "test")]
    assert [(int(low), int(high)) for low, high in ranges] == [(0, 639), (640, 799), (800, 999)]


def test_split_rows_takes_each_stratum_in_proportion():
    groups, strata = torch.arange(100), torch.arange(100) % 4
    stays, off = split_rows(groups, strata, 0.2, seed=3, draw=0)
    assert sorted([*stays.tolist(), *off.tolist()]) == list(range(100))
    assert torch.bincount(strata[off]).tolist() == [5, 5, 5, 5]
    assert split_rows(groups, strata, 0.2, seed=3, draw=1)[1].tolist() != off.tolist()
    large = torch.tensor([0] * 60 + [1] * 20 + [2] * 20)
    stays, off = split_rows(large, torch.zeros(100), 0.2, seed=0, draw=0)
    assert (len(stays), len(off)) == (80, 20)
    assert split_in_time(torch.tensor([3.0, 1.0, 2.0, 3.0, 0.0]), 0.2)[1].tolist() == []  # two rows are the latest


def test_rows_differ_by_each_value_and_by_gaps():
    rows = torch.randn(2000, 3, generator=generator(0))
    rows[0] = rows[1]
    rows[2, 1] = rows[3, 1] = math.nan
    assert len(row_hashes(rows).unique()) == 1999
    assert row_hashes(rows)[0] == row_hashes(rows)[1]
    assert len(row_hashes(torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]])).unique()) == 3


def test_rare_categories_share_an_input_and_files_of_their_own_are_taken(tmp_path: Path):
    towns = ["Bonn"] * 200 + ["Ulm"] * 100 + ["x", "y", "y"]
    content = "town,y\n" + "".join(f"{town},{number}\n" for number, town in enumerate(towns))
    (tmp_path / "test.csv").write_text("y,more,town\n1,2,Ulm\n2,3,Rom\n,1,Ulm\n3,4,\n")
    (tmp_path / "val.csv").write_text("town,y\nBonn,5\n")
    paths: dict[str, Any] = {"test_data": str(tmp_path / "test.csv"), "validation_data": [str(tmp_path / "val.csv")]}
    task = table(tmp_path, content, **paths)
    assert columns_of(task)[0].categories == ("Bonn", "Ulm")
    assert [len(task.split(name)[0]) for name in ("train", "val", "test")] == [303, 1, 3]
    torch.testing.assert_close(task.split("test")[0], torch.tensor([[1.0], [2.0], [math.nan]]), equal_nan=True)
    assert task.split("test")[1].tolist() == [[1.0], [2.0], [3.0]]
    assert task.split("train")[0][-3:].tolist() == [[2.0]] * 3
    assert f"{tmp_path / 'test.csv'}: 1 rows without a y are left out" in task.description()


def test_labels_that_end_in_a_full_stop_are_those_without(tmp_path: Path):
    (tmp_path / "test.csv").write_text("x,y\n1,<=50K.\n2,>50K.\n")
    content = "x,y\n" + "".join(f"{number},{('<=50K', '>50K')[number % 2]}\n" for number in range(40))
    task = table(tmp_path, content, test_data=str(tmp_path / "test.csv"))
    assert task.split("test")[1].tolist() == [0, 1]
    assert task.description()[0] == f"{tmp_path / 'test.csv'}: the full stop after labels is left out"


@pytest.mark.parametrize("column", ["event_id", "day"])
def test_any_column_of_numbers_or_dates_orders_rows_in_time(tmp_path: Path, column: str):
    lines = [f"{number},{2000 + number}-01-01,{number % 7},{number % 5}" for number in range(100)]
    content = "event_id,day,x,y\n" + "\n".join(lines) + "\n"
    task = table(tmp_path, content, time_by=column, columns={column: "ignore", "y": "number"})
    assert len(task.split("train")[0]) == 64
    assert task.split("test")[1].flatten().tolist() == [number % 5 for number in range(80, 100)]


def test_a_time_that_stands_still_orders_nothing(tmp_path: Path):
    with pytest.raises(UsageError, match=r"^--time_by t: it is the same in all rows$"):
        table(tmp_path, "t,x,y\n" + "".join(f"3,{number},{number % 5}\n" for number in range(50)), time_by="t")


def test_a_format_of_dates_that_rows_in_json_cant_have_is_refused(tmp_path: Path):
    content = "d,y\n" + "".join(f"{1 + number % 28}.1.2020,{number % 5}\n" for number in range(50))
    with pytest.raises(UsageError, match=r"^--columns {d: %-d.%-m.%Y}: is no format of dates \('-' is a bad directive"):
        table(tmp_path, content, columns={"d": "%-d.%-m.%Y"})


@pytest.mark.parametrize(("rows", "size"), [(1, 16), (3199, 16), (3200, 32), (13_209, 128), (10**9, 4096)])
def test_an_epoch_has_about_100_steps(rows: int, size: int):
    assert batch_size_for(rows) == size


@pytest.mark.parametrize(("rows", "batch_size", "epochs"), [(100, 16, 60), (50_000, 256, 24), (2_000_000, 4096, 10)])
def test_batch_size_and_epochs_depend_on_the_rows(tmp_path: Path, rows: int, batch_size: int, epochs: int):
    (tmp_path / "table.csv").write_text("x,y\n" + "1,0\n" * rows)
    settings = read_command(["--task", "table", "--data", str(tmp_path / "*.csv"), "--target", "y"]).settings
    assert (settings.batch_size, settings.max_epochs) == (batch_size, epochs)
    flags = ["--batch_size=7", "--max_epochs=3"]
    settings = read_command(["--task", "table", "--data", str(tmp_path / "*.csv"), "--target", "y", *flags]).settings
    assert (settings.batch_size, settings.max_epochs) == (7, 3)


def flags_for(path: Path, target: str = "price") -> list[str]:
    return ["--data", str(path), "--target", target, *SMALL]


def test_a_run_that_is_broken_off_ends_as_one_that_was_not(houses_csv: Path, run_fit: Fit):
    flags = [*flags_for(houses_csv), "--dropout=0.3"]
    reference = run_fit(*flags, task="table", name="reference")
    for step in (0, 5, 11):
        break_off(run_fit, flags, "table", step=step)
    break_off(run_fit, flags, "table", step=16, moment="validation")
    run = run_fit(*flags, "--callbacks=null", task="table", points=points_everywhere())
    assert differences(run.folder, reference.folder) == []


def test_a_run_isnt_resumed_with_other_data(houses_csv: Path, run_fit: Fit):
    flags = flags_for(houses_csv)
    break_off(run_fit, flags, "table", step=5)
    houses_csv.write_text(houses().replace("Ulm", "Trier"))
    with pytest.raises(Failure, match=r"last.ckpt was made with other data: the column town isn't what it was then$"):
        run_fit(*flags, "--callbacks=null", task="table")


@pytest.mark.slow
def test_by_hand_and_two_processes_make_the_same_weights(houses_csv: Path, tmp_path: Path):
    flags = [*flags_for(houses_csv), "--task", "table", "--accelerator", "cpu", "--threads", "1"]
    fitted = script("fit", *flags, cwd=tmp_path)
    by_hand = script("by_hand", *flags, cwd=tmp_path)
    assert (fitted.returncode, by_hand.returncode) == (0, 0), fitted.stderr + by_hand.stderr
    digest = [line for line in fitted.stdout.splitlines() if line.startswith("last weights")]
    assert digest == [line for line in by_hand.stdout.splitlines() if line.startswith("last weights")]
    flags += ["--dropout", "0", "--precision", "32-true"]
    both = script(
        "fit", *flags, "--devices", "2", "--strategy", "ddp", "--batch_size", "8", "--run", "two", cwd=tmp_path
    )
    one = script("fit", *flags, "--batch_size", "16", "--run", "one", cwd=tmp_path)
    assert (both.returncode, one.returncode) == (0, 0), both.stderr + one.stderr
    networks = [load(tmp_path / f"lightning_logs/table/{name}/checkpoints/last.ckpt") for name in ("one", "two")]
    for first, second in zip(*(network.state_dict().values() for network in networks), strict=True):
        torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_a_process_without_a_share_of_an_evaluation_leaves_its_metrics_as_they_are(tmp_path: Path):
    rows = [f"{number % 7},{number % 5},{'ab'[number % 7 > 2]}" for number in range(2 * Table.EVALUATION_BATCH + 1)]
    for name, content in (("train", rows[:64]), ("validation", rows), ("test", rows[:1])):
        (tmp_path / f"{name}.csv").write_text("\n".join(["x,y,kind", *content]))
    flags = "--task table --data train.csv --validation_data validation.csv --test_data test.csv --target kind"
    flags += " --hidden [8] --dropout 0 --max_epochs 2 --accelerator cpu --precision 32-true --threads 1"
    validated, tested = [], []
    for devices in (1, 2):
        both = ["--devices", str(devices), "--batch_size", str(16 // devices), "--run", f"{devices}"]
        ended = script("fit", *flags.split(), *both, cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr
        run = Run(tmp_path / "lightning_logs" / "table" / str(devices))
        validated.append([value for name in ("val/loss", "val/accuracy") for _, value in curves(run)[name]])
        tested.append((run.read_results() or {})["test"])
    assert validated[1] == pytest.approx(validated[0], rel=1e-3)
    assert tested[1] == pytest.approx(tested[0], rel=1e-3)


@pytest.fixture
def houses_run(houses_csv: Path, run_fit: Fit) -> Path:
    return run_fit(*flags_for(houses_csv), task="table").best


def test_a_row_is_answered_without_what_reading_files_and_training_take(houses_run: Path, tmp_path: Path):
    code = "import sys; from litmlp.commands import predict; predict.main(sys.argv[1:]); print(*sys.modules)"
    row = json.dumps({"rooms": 3, "town": "Ulm", "built": None})
    ended = subprocess.run(
        [sys.executable, "-c", code, "--ckpt", houses_run, row],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        check=True,
    )
    loaded = {name.partition(".")[0] for name in ended.stdout.splitlines()[-1].split()}
    assert loaded & {"duckdb", "lightning", "torchvision", "torchmetrics", "sympy"} == set()


def answers_of(capsys: pytest.CaptureFixture[str], *flags: str) -> list[dict[str, str]]:
    capsys.readouterr()
    predict.main(list(flags))
    return list(csv.DictReader(capsys.readouterr().out.splitlines()))


def test_predict_answers_files_in_any_order_and_form(
    houses_run: Path, houses_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    network = load(houses_run)
    with houses_csv.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with torch.inference_mode():
        expected = network.probabilities(rows_from(form_of(network), rows))[:, 0].tolist()
    answers = answers_of(capsys, "--ckpt", str(houses_run), "--format=csv", str(houses_csv))
    assert [{name: row[name] for name in rows[0]} for row in answers] == rows
    assert [float(row["prediction"]) for row in answers] == pytest.approx(expected, rel=1e-5)
    other = tmp_path / "other.csv"
    other.write_text("town;extra;built;rooms\n" + f"{rows[0]['town']};1;{rows[0]['built']};{rows[0]['rooms']}\n")
    packed = tmp_path / "other.parquet"
    write_parquet(
        f"SELECT {rows[1]['rooms']}::DOUBLE AS rooms, '{rows[1]['town']}' AS town, DATE '{rows[1]['built']}' AS built",
        packed,
    )
    for path, wanted in ((other, expected[0]), (packed, expected[1])):
        (answer,) = answers_of(capsys, "--ckpt", str(houses_run), "--format=csv", str(path))
        assert float(answer["prediction"]) == pytest.approx(wanted, rel=1e-5)
    capsys.readouterr()
    predict.main(["--ckpt", str(houses_run), "--format=json", json.dumps(rows[2])])
    (answer,) = json.loads(capsys.readouterr().out)
    assert answer == {"input": rows[2], "values": [pytest.approx(expected[2], rel=1e-5)]}


def test_predict_names_bad_rows_and_answers_the_others(houses_run: Path, tmp_path: Path):
    (tmp_path / "new.csv").write_text(
        "rooms,town,built\n3,Bonn,2000-01-01\nthree,Bonn,2000-01-01\n,Nowhere,\n4,Ulm\n4,Ulm,yesterday\n5,Ulm,2001-02-03\n"
    )
    ended = script("predict", "--ckpt", houses_run, "new.csv", cwd=tmp_path)
    assert ended.returncode == 1
    assert [line.split()[:2] for line in ended.stdout.splitlines()] == [["row", "1"], ["row", "3"], ["row", "5"]]
    assert ended.stderr.splitlines() == [
        "predict.py: new.csv, row 2: rooms is a number, but 'three' is none",
        "predict.py: new.csv, row 4: built is a date written as %Y-%m-%d, but 'yesterday' is none",
        "predict.py: new.csv: line 5 is broken: Expected Number of Columns: 3 Found: 2",
        "predict.py: 3 of 6 inputs couldn't be answered",
    ]


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        ("town,price\nUlm,3\n", 1, "new.csv: these columns are missing: rooms, built"),
        ("", 1, "new.csv: these columns are missing: rooms, town, built"),
        ("\0\0", 1, "new.csv isn't a table: it is no text"),
    ],
)
def test_predict_refuses_what_lacks_columns(houses_run: Path, tmp_path: Path, content: str, code: int, line: str):
    (tmp_path / "new.csv").write_text(content)
    ended = script("predict", "--ckpt", houses_run, "new.csv", "--output", "answers.csv", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (code, f"predict.py: {line}\n")
    assert not (tmp_path / "answers.csv").exists()


def test_rows_from_stdin_are_answered_and_errors_name_it(
    houses_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "new.csv").write_text("rooms,town,built\n3,Bonn,2000-01-01\n")
    with (tmp_path / "new.csv").open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        of_stdin = answers_of(capsys, "--ckpt", str(houses_run), "--format=csv", "-")
    assert of_stdin == answers_of(capsys, "--ckpt", str(houses_run), "--format=csv", str(tmp_path / "new.csv"))
    (tmp_path / "new.csv").write_text("\0\0")
    with (tmp_path / "new.csv").open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        with pytest.raises(Failure, match=r"^stdin isn't a table: it is no text$"):
            predict.main(["--ckpt", str(houses_run), "-"])


def test_answers_are_written_to_files(houses_run: Path, houses_csv: Path, tmp_path: Path):
    for ending in ("csv", "json", "parquet", "txt"):
        predict.main(["--ckpt", str(houses_run), str(houses_csv), "--output", str(tmp_path / f"answers.{ending}")])
    with (tmp_path / "answers.csv").open(encoding="utf-8") as file:
        values = [float(row["prediction"]) for row in csv.DictReader(file)]
    assert len(values) == 200
    with duckdb.connect() as connection:
        packed = connection.execute(f"SELECT prediction FROM '{tmp_path / 'answers.parquet'}'").fetchall()
    assert [value for (value,) in packed] == values
    assert [answer["values"] for answer in json.loads((tmp_path / "answers.json").read_text())] == [[v] for v in values]
    assert len((tmp_path / "answers.txt").read_text().splitlines()) == 200
    assert not list(tmp_path.glob(".*")), "nothing temporary is left"


def test_parquet_has_numbers_where_they_are_plain_and_text_as_it_was_written(tmp_path: Path):
    long = "x" * 3_000_000
    columns: list[dict[str, Any]] = [
        {"code": "007", "size": "3", "cost": "1.5", "paid": "t", "day": "2020-01-01", "text": long, "odd": "9" * 20},
        {"code": "8", "size": None, "cost": "-2", "paid": "f", "day": None, "text": "", "odd": "1"},
    ]
    answers = [
        Answered("", "", {}, {**row, "prediction": label, "probability": 0.25})
        for row, label in zip(columns, ("yes", "no"), strict=True)
    ]
    write_answers(iter(answers), "parquet", 0, str(tmp_path / "a.parquet"))
    with duckdb.connect() as connection:
        found = connection.execute(f"SELECT * FROM '{tmp_path / 'a.parquet'}'").fetchall()
    assert found == [
        ("007", 3, 1.5, "t", "2020-01-01", long, "9" * 20, "yes", 0.25),
        ("8", None, -2.0, "f", None, None, "1", "no", 0.25),
    ]
    write_answers(iter([]), "parquet", 0, str(tmp_path / "none.parquet"))
    with duckdb.connect() as connection:
        assert connection.execute(f"SELECT * FROM '{tmp_path / 'none.parquet'}'").fetchall() == []


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--output", "a.xls"], "--output a.xls: must end in one of .csv, .json, .txt, .parquet, .pq"),
        (["--output", "a.csv", "--format", "json"], "--output a.csv: contradicts --format json; leave one of them out"),
        (["--format", "parquet"], "--format parquet: name a file, as --output answers.parquet"),
    ],
)
def test_outputs_that_cant_be(flags: list[str], line: str):
    with pytest.raises(UsageError) as caught:
        predict.main(["--ckpt", "any", "x.csv", *flags])
    assert str(caught.value) == line


@pytest.mark.parametrize("form", ["onnx", "pt2"])
def test_an_exported_table_takes_gaps_and_unseen_categories(houses_run: Path, tmp_path: Path, form: str):
    if form == "onnx":
        pytest.importorskip("onnxruntime")
    export.main(["--ckpt", str(houses_run), "--format", form, "--output", str(tmp_path / f"houses.{form}")])
    network = load(houses_run)
    rows = torch.tensor([[3.0, 0.0, 100.0], [math.nan, math.nan, math.nan], [5.0, 3.0, 20_000.5]])
    with torch.inference_mode():
        expected = network.probabilities(rows)
    if form == "onnx":
        import onnxruntime  # noqa: PLC0415

        session = onnxruntime.InferenceSession(tmp_path / "houses.onnx")
        (answer,) = session.run(None, {"samples": rows.numpy()})
        metadata = session.get_modelmeta().custom_metadata_map
        columns = json.loads(metadata["table"])["columns"]
        assert [column["name"] for column in columns] == ["rooms", "town", "built"]
        assert columns[1]["categories"][:3] == ["Bonn", "Köln", "Ulm"]
        torch.testing.assert_close(torch.from_numpy(answer), expected, rtol=1e-4, atol=1e-2)
    else:
        module = torch.export.load(str(tmp_path / "houses.pt2")).module()
        torch.testing.assert_close(module(rows), expected)


def test_test_reads_the_files_of_the_run(houses_run: Path, houses_csv: Path, capsys: pytest.CaptureFixture[str]):
    fitted = json.loads((houses_run.parent.parent / "results.json").read_text())["test"]
    capsys.readouterr()
    test_command.main(["--ckpt", str(houses_run)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[: len(fitted)] == [f"test/{name:<10} {value:#.4g}" for name, value in fitted.items()]
    houses_csv.unlink()
    with pytest.raises(UsageError, match=r"houses.csv: there is no such file$"):
        test_command.main(["--ckpt", str(houses_run)])


def test_all_that_a_python_program_needs(houses_run: Path):
    network = load(houses_run)
    rows = [{"rooms": 3, "town": "Ulm", "built": "2001-02-03"}, {"rooms": None, "town": "Rom", "built": None}]
    assert network.probabilities(rows_from(form_of(network), rows)).shape == (2, 1)
    assert len(weights_sha256(network.state_dict())) == 64


@pytest.mark.parametrize("flags", [["--data", "x.csv"], ["--target", "y"]])
def test_help_needs_no_data_and_a_run_does(flags: list[str], run_fit: Callable[..., object]):
    with pytest.raises(UsageError, match="--task table: name the (files|column)"):
        fit.main(["--task", "table", *flags])


def test_a_run_isnt_resumed_with_other_targets(houses_csv: Path, run_fit: Fit) -> None:
    flags = [f"--data={houses_csv}", "--target=price", *SMALL]
    break_off(run_fit, flags, "table", step=12)
    before = houses_csv.read_text(encoding="utf-8")
    houses_csv.write_text(re.sub(r"(\d+)$", r"\g<1>0", before, flags=re.MULTILINE), encoding="utf-8")
    line = "^the run was begun with other data than these: restore them, or start another run$"
    with pytest.raises(Failure, match=line):
        run_fit(*flags, "--callbacks=null", task="table")
    houses_csv.write_text(before, encoding="utf-8")
    assert run_fit(*flags, "--callbacks=null", task="table").results.is_file()


def test_copies_stay_together_and_common_rows_are_dealt_singly() -> None:
    groups = torch.tensor([7, 9, 9, 3] + [5] * 6 + [7] * 4)
    assert without_frequent(groups).tolist() == [2, 3, 3, 0, 8, 9, 10, 11, 12, 13, 2, 2, 2, 2]
    copies = torch.arange(400) // 20  # each is 5 % of the rows
    assert without_frequent(copies).tolist() == copies.tolist()
    assert len(without_frequent(torch.arange(399) // 20).unique()) == 19 * 20 + 1


def test_a_table_with_few_combinations_is_split(tmp_path: Path) -> None:
    rows = [f"{'uvw'[n % 3]},{'yes' if n % 5 else 'no'}" for n in range(300)]
    task = table(tmp_path, "a,y\n" + "\n".join(rows) + "\n")
    assert {name: task.split(name)[1].bincount().tolist() for name in ("train", "val", "test")} == {
        "train": [38, 154],
        "val": [10, 38],
        "test": [12, 48],
    }


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there are no such names")
def test_a_path_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    bad, good = tmp_path / os.fsdecode(b"\xff.csv"), tmp_path / "houses.csv"
    for path in (bad, good):
        path.write_text(houses(7000), encoding="utf-8")
    line = "DuckDB can't open a path that isn't UTF-8: choose another name$"
    with pytest.raises(Failure, match=f"^{re.escape(str(bad))}: {line}"):
        Table(str(bad), "price").prepare_data()
    folder = tmp_path / os.fsdecode(b"\xfe")
    with pytest.raises(Failure, match=f"^{re.escape(str(folder))}/cache/.*: {line}"):
        Table(str(good), "price", memory="1MB", data_dir=str(folder)).prepare_data()
    assert list((folder / "cache").iterdir()) == []
    with pytest.raises(Failure, match=f"^--output {re.escape(str(folder))}.parquet: {line}"):
        write_answers(iter([]), "parquet", 1, f"{folder}.parquet")


def test_a_linear_model_of_many_classes_is_fitted_on_fewer_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(Settings(Spec("t", (2,), 5, tuple("abcde")), hidden=()))
    samples, targets = torch.randn(90, 2, generator=generator(0)), torch.arange(90) % 5
    network.standardise(statistics_of(network.settings, samples, targets))
    third = linear.fit_linear(network, samples[::3], targets[::3]).weight
    monkeypatch.setattr(linear, "MOST_WORK", 30 * 5 * (3 + linear.SOFTMAX))
    assert torch.equal(linear.fit_linear(network, samples, targets).weight, third)


def test_a_regression_with_more_features_than_rows_has_the_weights_of_the_larger_system() -> None:
    x, y = (torch.randn(20, columns, dtype=torch.float64, generator=generator(0)) for columns in (70, 2))
    gram = x.T @ x + linear.PENALTY * 20 * torch.eye(70, dtype=torch.float64)
    torch.testing.assert_close(linear.ridge(x, y), torch.linalg.solve(gram, x.T @ y))


@pytest.mark.parametrize(
    ("features", "rows"), [(17, 100_000), (1_000, 100_000), (2_000, 25_000), (10_000, 3_162), (10**12, 1)]
)
def test_a_linear_regression_takes_seconds_whatever_the_features(features: int, rows: int) -> None:
    network = Network(Settings(Spec("t", (2,), 1, None), hidden=()))
    assert linear.most_rows(network, features) == rows
