"""Tables that are larger than the memory for samples: the same columns, exact runs, and lines for what breaks."""

import csv
import gzip
import json
import os
import re
import resource
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy
import pytest
import torch

from litmlp import Failure, UsageError, cache, load
from litmlp import lock as lock_module
from litmlp.cgroups import machine_memory
from litmlp.commands import by_hand
from litmlp.commands import cache as cache_command
from litmlp.commands.console import run
from litmlp.lock import RunLock
from litmlp.model.loading import weights_sha256
from litmlp.tasks.sample_memory import memory_if_exceeded, parse_size
from litmlp.tasks.table import Table
from tests.conftest import Fit
from tests.test_resume import break_off, differences, points_everywhere

SMALL = ["--hidden=[8]", "--bins=4", "--embedding=3", "--members=2", "--max_epochs=2", "--batch_size=256"]
ROWS = 12_000


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of flights, sorted by their delay, with gaps, dates, a rare category and an id; some lines are twice."""
    draw = numpy.random.RandomState(0)
    path = tmp_path_factory.mktemp("flights") / "flights.csv"
    lines = []
    for number in range(ROWS):
        distance, hour = draw.randint(100, 9_000), draw.randint(0, 24)
        airline = ["Blue", "Red, the", "Green"][draw.randint(0, 3)] if number else "Only once"
        delay = round(hour * 2.5 + (airline == "Blue") * 20 + distance / 500 + draw.rand(), 2)
        day = f"2019-{draw.randint(1, 13):02}-{draw.randint(1, 29):02}"
        lines.append([f"F{number:06}", airline, "NA" if draw.rand() < 0.1 else distance, hour, day, delay])
    lines.sort(key=lambda line: float(line[-1]))
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(
            [["flight", "airline", "distance", "hour", "day", "delay"], *lines]
        )
    return path


def table(path: Path | str, data_dir: Path, **others: Any) -> Table:
    return Table(**{"data": str(path), "target": "delay", "memory": "1MB", "data_dir": str(data_dir), **others})


def rows_of(task: Table, name: str) -> list[list[float]]:
    """The rows of a split with their targets, in a canonical order, with -1 for what is missing."""
    samples, targets = task.split(name)
    rows = torch.cat([samples, targets.view(len(targets), -1).float()], 1).nan_to_num(nan=-1)
    return sorted(rows.tolist())


def test_it_finds_what_it_finds_in_memory_and_has_each_row_once(flights: Path, tmp_path: Path) -> None:
    stored, in_memory = table(flights, tmp_path), table(flights, tmp_path, memory="1GB")
    for task in (stored, in_memory):
        task.prepare_data()
    assert set(stored.stored) == {"train", "val", "test"}
    assert not in_memory.stored
    assert stored.table is not None
    assert in_memory.table is not None
    kinds = [(column.name, column.kind, column.form, column.categories) for column in in_memory.table.columns]
    assert [(column.name, column.kind, column.form, column.categories) for column in stored.table.columns] == kinds
    assert [kind[0] for kind in kinds] == ["airline", "distance", "hour", "day"]
    found = sorted(row for name in ("train", "val", "test") for row in rows_of(stored, name))
    assert found == sorted(row for name in ("train", "val", "test") for row in rows_of(in_memory, name))
    sizes = [len(stored.split(name)[0]) / ROWS for name in ("train", "val", "test")]
    assert sizes == pytest.approx([0.64, 0.16, 0.2], abs=0.01)
    spans = [(column.low, column.high) for column in stored.table.columns if column.kind != "category"]
    rows = stored.split("train")[0]
    expected = [rows[:, place][~rows[:, place].isnan()].aminmax() for place in (1, 2, 3)]
    assert spans == [(float(low), float(high)) for low, high in expected]
    assert stored.description()[0] == (
        f"stored           larger than --memory: read from {next((tmp_path / 'cache').iterdir())} as they are needed"
    )


def test_statistics_are_those_of_the_training_rows(flights: Path, tmp_path: Path, run_fit: Fit) -> None:
    flags = [f"--data={flights}", "--target=delay", "--memory=1MB", f"--data_dir={tmp_path}", *SMALL]
    run = run_fit(*flags, task="table")
    task = table(flights, tmp_path)
    network, (_, targets) = load(run.best), task.split("train")
    assert float(network.target_mean) == pytest.approx(float(targets.double().mean()), rel=1e-5)
    assert float(network.target_std) == pytest.approx(float(targets.double().std(unbiased=False)), rel=1e-5)
    assert network.rows is not None
    seen = network.rows.slots_of(task.split("train")[0]).amax(0)
    assert network.rows.seen.tolist() == seen.tolist()


def test_a_column_that_looks_like_numbers_up_to_its_last_rows_is_text(tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    lines = [f"{number % 9},{number % 8}, {number % 50}.5 ,{number / 7:.3f}" for number in range(11_000)]
    late = [["x7", "1", "3", "1e3"], ["1", "007", "NA", "+4.5"], ["2", "-01", "nan", ".5"]] * 5
    path.write_text("a,b,c,delay\n" + "\n".join([*lines, *map(",".join, late)]) + "\n")
    tasks = [table(path, tmp_path, memory=memory) for memory in ("1MB", "1GB")]
    for task in tasks:
        task.prepare_data()
    assert [bool(task.stored) for task in tasks] == [True, False]
    for task in tasks:
        assert task.table is not None
        kinds = [(column.name, column.kind) for column in task.table.columns]
        assert kinds == [("a", "category"), ("b", "category"), ("c", "number")]
        assert "category         b      numbers with leading zeros, 10 different" in task.description()
    numbers = [torch.cat([task.split(name)[0][:, 2] for name in ("train", "val", "test")]) for task in tasks]
    assert torch.equal(*(part.nan_to_num(nan=-1).sort().values for part in numbers))


def test_a_number_that_stands_for_missing_is_one(tmp_path: Path) -> None:
    path = tmp_path / "gaps.csv"
    rows = (f"{-999 if number % 3 else number},{number % 11},{number / 7:.3f}" for number in range(20_000))
    path.write_text("a,b,delay\n" + "\n".join(rows) + "\n")
    task = table(path, tmp_path, missing=["-999"])
    task.prepare_data()
    known = torch.cat([task.split(name)[0][:, 0] for name in ("train", "val", "test")])
    assert int(known.isnan().sum()) == 13_333
    assert float(known.nan_to_num(nan=0).min()) == 0


def test_rows_that_are_the_same_stay_on_one_side(tmp_path: Path) -> None:
    path = tmp_path / "twice.csv"
    lines = [f"{number},{number % 7},{number % 5 + number % 7}" for number in range(9_000)] * 3
    path.write_text("a,b,delay\n" + "\n".join(lines) + "\n")
    task = table(path, tmp_path, columns={"delay": "number"})
    task.prepare_data()
    sides = [{int(row[0]) for row in task.split(name)[0]} for name in ("train", "val", "test")]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 9_000


def test_groups_and_times(flights: Path, tmp_path: Path) -> None:
    grouped = table(flights, tmp_path, group_by="day")
    grouped.prepare_data()
    assert grouped.table is not None
    assert "day" not in [column.name for column in grouped.table.columns]
    later = table(flights, tmp_path, time_by="day")
    later.prepare_data()
    place = [column.name for column in later.table.columns].index("day") if later.table else 0
    spans = [later.split(name)[0][:, place].aminmax() for name in ("train", "val", "test")]
    assert spans[0].max < spans[1].min <= spans[1].max < spans[2].min
    assert [len(later.split(name)[0]) / ROWS for name in ("val", "test")] == pytest.approx([0.16, 0.2], abs=0.01)


def test_parquet_is_read_where_it_lies_and_gives_what_its_text_gives(flights: Path, tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    source = f"read_csv('{flights}', nullstr='NA')"
    for part in range(2):
        query = f"SELECT * FROM {source} WHERE hour % 2 = {part}"
        duckdb.execute(f"COPY ({query}) TO '{parts / f'{part}.parquet'}' (FORMAT parquet)")
    tasks = [table(parts / "*.parquet", tmp_path, memory=memory) for memory in ("1MB", "1GB")]
    for task in tasks:
        task.prepare_data()
    assert [bool(task.stored) for task in tasks] == [True, False]
    found = [sorted(row for name in ("train", "val", "test") for row in rows_of(task, name)) for task in tasks]
    assert found[0] == found[1]
    classes = [table(parts / "*.parquet", tmp_path, target="airline", memory=memory) for memory in ("1MB", "1GB")]
    for task in classes:
        task.prepare_data()
    assert classes[0].classes == classes[1].classes == ("Blue", "Green", "Only once", "Red, the")


def test_splits_with_files_of_their_own(flights: Path, tmp_path: Path) -> None:
    lines = flights.read_text(encoding="utf-8").splitlines()
    for name, chosen in {"train": lines[2::2], "test": lines[1::2]}.items():
        (tmp_path / f"{name}.csv").write_text("\n".join([lines[0], *chosen]) + "\n", encoding="utf-8")
    task = table(tmp_path / "train.csv", tmp_path, test_data=[str(tmp_path / "test.csv")])
    task.prepare_data()
    assert [len(task.split(name)[0]) / 6_000 for name in ("train", "val")] == pytest.approx([0.8, 0.2], abs=0.02)
    whole = table(flights, tmp_path, memory="1GB", test_data=[str(tmp_path / "test.csv")])
    whole.prepare_data()
    assert [row[1:] for row in rows_of(task, "test")] == [row[1:] for row in rows_of(whole, "test")]
    (tmp_path / "test.csv").write_text("\n".join([lines[0], *lines[1:4_000], "F1,Blue,far,1,2019-01-01,5"]) + "\n")
    broken = table(tmp_path / "train.csv", tmp_path, test_data=[str(tmp_path / "test.csv")])
    line = f"^{re.escape(str(tmp_path / 'test.csv'))}: distance is a number, but 'far' is none$"
    with pytest.raises(Failure, match=line):
        broken.prepare_data()
    (tmp_path / "test.csv").write_text("flight,hour,day,delay\n" + "F1,1,2019-01-01,5\n" * 9)
    lacking = table(tmp_path / "train.csv", tmp_path, test_data=[str(tmp_path / "test.csv")])
    line = f"^{re.escape(str(tmp_path / 'test.csv'))}: these columns are missing: airline, distance$"
    with pytest.raises(Failure, match=line):
        lacking.prepare_data()


def test_a_run_that_was_broken_off_ends_as_one_that_was_not(flights: Path, tmp_path: Path, run_fit: Fit) -> None:
    flags = [f"--data={flights}", "--target=delay", "--memory=1MB", f"--data_dir={tmp_path}", *SMALL]
    reference = run_fit(*flags, task="table").folder
    reference = reference.rename(reference.with_name("reference"))
    for step in (0, 7, 29, 30, 44):
        break_off(run_fit, flags, "table", step=step)
    run = run_fit(*flags, "--callbacks=null", task="table", points=points_everywhere())
    assert differences(run.folder, reference) == []


def test_the_plain_loop_ends_with_the_same_weights(
    flights: Path, tmp_path: Path, run_fit: Fit, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [f"--data={flights}", "--target=delay", "--memory=1MB", f"--data_dir={tmp_path}", *SMALL]
    run = run_fit(*flags, task="table")
    by_hand.main(["--task=table", "--accelerator=cpu", *flags])
    weights = torch.load(run.last, weights_only=True)["state_dict"]
    assert f"sha256 {weights_sha256(weights)[:16]}" in capsys.readouterr().out


def name_of(task: Table) -> str:
    """The name of the folder that a task's rows are read from."""
    return task.stored["train"].paths[0].parent.name


def test_a_table_with_few_combinations_is_split(tmp_path: Path) -> None:
    rows = [f"{'uv'[n % 2]},{n % 3},{n % 5}" for n in range(30_000)]
    path = tmp_path / "t.csv"
    path.write_text("a,b,delay\n" + "\n".join(rows) + "\n", encoding="utf-8")
    tasks = [table(path, tmp_path / name, batch_size=64) for name in ("one", "other")]
    for task in tasks:
        task.prepare_data()
    sizes = [len(tasks[0].split(name)[0]) for name in ("train", "val", "test")]
    assert sum(sizes) == 30_000
    assert [size / 30_000 for size in sizes] == pytest.approx([0.64, 0.16, 0.2], abs=0.01)
    for name, size in zip(("train", "val", "test"), sizes, strict=True):
        samples, targets = tasks[0].split(name)
        assert targets.bincount() / size == pytest.approx(0.2, abs=0.02)
        assert torch.equal(samples, tasks[1].split(name)[0])


def test_a_folder_s_name_cant_control_the_terminal(
    flights: Path, tmp_path: Path, run_fit: Fit, capsys: pytest.CaptureFixture[str]
) -> None:
    data = [f"--data={flights}", "--target=delay", "--memory=1MB", f"--data_dir={tmp_path}/\x1b[2J"]
    run_fit(*SMALL, *data, "--max_epochs=1", task="table")
    start = f"stored           larger than --memory: read from {tmp_path}/\\x1b[2J/cache/"
    assert any(line.startswith(start) for line in capsys.readouterr().out.splitlines())


def test_a_packed_file_is_the_same_table(flights: Path, tmp_path: Path) -> None:
    packed = tmp_path / "flights.csv.gz"
    packed.write_bytes(gzip.compress(flights.read_bytes()))
    tasks = [table(path, tmp_path) for path in (flights, packed)]
    for task in tasks:
        task.prepare_data()
    for name in ("train", "val", "test"):
        assert rows_of(tasks[0], name) == rows_of(tasks[1], name)
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_the_cache_is_found_by_content_and_settings(flights: Path, tmp_path: Path) -> None:
    def folders() -> set[str]:
        return {path.name for path in (tmp_path / "cache").iterdir()}

    first = table(flights, tmp_path)
    first.prepare_data()
    written = first.stored["train"].paths[0].stat().st_mtime_ns
    elsewhere = Path(shutil.copy2(flights, tmp_path / "elsewhere.csv"))
    table(elsewhere, tmp_path).prepare_data()
    assert folders() == {name_of(first)}
    assert first.stored["train"].paths[0].stat().st_mtime_ns == written
    changes: list[dict[str, Any]] = [{"seed": 1}, {"columns": {"hour": "category"}}, {"memory": "1.1MB"}]
    for count, others in enumerate(changes, 2):
        table(flights, tmp_path, **others).prepare_data()
        assert len(folders()) == count
    with elsewhere.open("a", encoding="utf-8") as file:
        file.write("F9,Blue,100,1,2019-01-01,5\n")
    table(elsewhere, tmp_path).prepare_data()
    assert len(folders()) == 5
    entries = list(cache.entries(tmp_path))
    assert [entry.about for entry in entries].count(f"{flights}, to predict delay") == 4
    task = table(flights, tmp_path)
    task.prepare_data()
    encoded = sum(tensor.nbytes for split in task.stored.values() for tensor in split.tensors)
    (own,) = {entry.size for entry in entries if entry.name == name_of(task)}
    assert encoded < own < 1.1 * encoded


def test_a_damaged_header_is_no_header(flights: Path, tmp_path: Path) -> None:
    table(flights, tmp_path).prepare_data()
    (folder,) = (tmp_path / "cache").iterdir()
    before = {path.name: path.read_bytes() for path in folder.glob("train.*")}
    header = bytearray((folder / "header.json").read_bytes())
    header[200] ^= 1
    (folder / "header.json").write_bytes(header)
    (folder / "train.samples").write_bytes(b"x")
    table(flights, tmp_path).prepare_data()
    assert {path.name: path.read_bytes() for path in folder.glob("train.*")} == before


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            lambda path: path.write_text("flight,delay\n" + "F1,1.5\nF1,2\n" * 40_000),
            "no column is left to predict delay",
        ),
        (lambda path: path.write_text(path.read_text() + "F9,Blue,1,1\n"), "line 12002 is broken: "),
    ],
)
def test_a_table_that_cant_be_learned_from_leaves_nothing(
    change: Callable[[Path], object], line: str, flights: Path, tmp_path: Path
) -> None:
    path = Path(shutil.copy(flights, tmp_path / "t.csv"))
    change(path)
    with pytest.raises(Failure, match=f"^{re.escape(str(path))}: {line}"):
        table(path, tmp_path).prepare_data()
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "code", "line"),
    [
        (["--columns.gone=category"], 2, "--columns gone: there is no such column; there are .*"),
        (["--validation_data=sparse.csv"], 1, "sparse.csv isn't a table: it is no text"),
        (["--validation_data=broken.csv"], 1, "broken.csv: line 3 is broken: Expected Number of Columns: 6 Found: 7"),
    ],
)
def test_what_is_wrong_with_it_is_one_line(
    flags: list[str],
    code: int,
    line: str,
    flights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(flights, "flights.csv")
    with Path("sparse.csv").open("wb") as file:
        file.truncate(10**9)
    Path("broken.csv").write_text("flight,airline,distance,hour,day,delay\nF1,Red,1,1,2019-01-01,1\nF2,Red,1,1,1,1,1\n")
    with pytest.raises(SystemExit) as ended:
        run("fit", "fit.py", ["--task=table", "--data=flights.csv", "--target=delay", "--memory=1MB", *flags])
    assert ended.value.code == code
    assert re.fullmatch(f"fit.py: {line}\n", capsys.readouterr().err)
    assert list((tmp_path / "data" / "cache").iterdir()) == []


def test_labels_of_a_test_may_end_in_a_full_stop_and_others_are_named(tmp_path: Path) -> None:
    header, values = ",".join(f"x{place}" for place in range(15)), ",".join(["3"] * 14)
    lines = [f"{number % 97},{values},{('<=50K', '>50K')[number % 2]}\n" for number in range(20_000)]
    (tmp_path / "train.csv").write_text(f"{header},y\n" + "".join(lines))
    for name, wrong in (("test", ">50K."), ("other", "50K")):
        (tmp_path / f"{name}.csv").write_text(f"{header},y\n1,{values},<=50K.\n2,{values},{wrong}\n")
    task = table(tmp_path / "train.csv", tmp_path, target="y", test_data=str(tmp_path / "test.csv"))
    task.prepare_data()
    assert sorted(task.split("test")[1].tolist()) == [0, 1]
    assert f"{tmp_path / 'test.csv'}: the full stop after labels is left out" in task.description()
    task = table(tmp_path / "train.csv", tmp_path, target="y", test_data=str(tmp_path / "other.csv"))
    with pytest.raises(Failure, match=r"other.csv: y is '50K', but the classes are <=50K, >50K$"):
        task.prepare_data()


def test_a_file_with_old_line_ends_is_divided_like_others(tmp_path: Path) -> None:
    header = ",".join(f"x{place}" for place in range(15))
    lines = [",".join(f"{number % (89 + place)}.5" for place in range(16)) for number in range(20_000)]
    blocks = []
    for end in ("\n", "\r"):
        (tmp_path / "numbers.csv").write_text(end.join([f"{header},y", *lines]), newline="")
        task = table(tmp_path / "numbers.csv", tmp_path, target="y")
        task.prepare_data()
        blocks.append(task.stored["train"].layout.blocks)
    assert blocks[0] == blocks[1] > 1


def test_a_conversion_that_was_killed_begins_from_nothing(flights: Path, tmp_path: Path) -> None:
    undisturbed = table(flights, tmp_path / "a")
    undisturbed.prepare_data()
    name = next((tmp_path / "a" / "cache").iterdir()).name
    folder = tmp_path / "b" / "cache" / name
    folder.mkdir(parents=True)
    (folder / "train.samples").write_bytes(b"a part")
    (folder / "reading").mkdir()
    (folder / "reading" / "rows.duckdb").write_bytes(b"a part")
    (folder / ".lock").write_text(json.dumps({"host": "gone"}))
    os.utime(folder / ".lock", (0, 0))  # the last sign of life of whoever held it
    task = table(flights, tmp_path / "b")
    task.prepare_data()
    for one, other in zip(task.stored.values(), undisturbed.stored.values(), strict=True):
        assert [path.read_bytes() for path in one.paths] == [path.read_bytes() for path in other.paths]
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["header.json", *(f"{name}.{what}" for name in ("train", "val", "test") for what in ("samples", "targets"))]
    )


@pytest.mark.parametrize("limit", [100_000, 250_000])
def test_a_full_disk_is_one_line_and_leaves_nothing(limit: int, flights: Path, tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(Failure) as error:
            table(flights, tmp_path).prepare_data()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    (folder,) = set(re.findall(r"\S+/cache/\w+", str(error.value)))
    assert str(error.value) == f"can't write {folder} (File too large): make room, or choose another --data_dir"
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("text", ["2", "0.5MB", "2 apples", "-1GB", "nan", "9e9TB", ""])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError, match=f"^--memory {re.escape(text)}: must be a size from 1MB on, as 2GB$"):
        parse_size(text)


def test_more_than_there_is_is_noted(capsys: pytest.CaptureFixture[str]) -> None:
    assert memory_if_exceeded(10**15, "2000TB") is None
    start = "note: with --memory 2000TB the samples take about 1,000,000.0 GB in memory, and there are "
    assert capsys.readouterr().err.startswith(start)
    assert memory_if_exceeded(10**6, None) is None
    assert memory_if_exceeded(10**7, "2MB") == 2 * 10**6
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("own", "files", "limit"),
    [
        ("0::/a/b", {"a/memory.max": "1000000", "a/b/memory.max": "max"}, 1_000_000),
        ("4:memory:/job", {"memory/job/memory.limit_in_bytes": "3000\n"}, 3_000),
        ("4:memory:/gone", {"memory/memory.limit_in_bytes": "5000\n"}, 5_000),
    ],
)
def test_a_container_s_limit_of_both_versions(own: str, files: dict[str, str], limit: int, tmp_path: Path) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    (tmp_path / "own").write_text(f"{own}\n")
    assert machine_memory(tmp_path, tmp_path / "own") == limit
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert machine_memory(tmp_path, tmp_path / "nowhere") == pages


def test_sizes() -> None:
    texts = {"2GB": 2 * 10**9, "1.5GiB": 3 * 2**29, "500 mb": 5 * 10**8, "3000000": 3 * 10**6, "1T": 10**12}
    assert {text: parse_size(text) for text in texts} == texts


def test_the_command_lists_and_deletes(flights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data_dir = tmp_path / "data"
    cache_command.main([f"--data_dir={data_dir}"])
    assert capsys.readouterr().out == f"there are no converted data in {data_dir}/cache\n"
    tasks = [table(flights, data_dir, seed=seed) for seed in (0, 1)]
    for task in tasks:
        task.prepare_data()
    (data_dir / "cache" / "half").mkdir()
    (data_dir / "cache" / "half" / "train.samples").write_bytes(b"x" * 100_000)
    today = time.strftime("%Y-%m-%d")
    capsys.readouterr()
    cache_command.main([f"--data_dir={data_dir}"])
    lines = capsys.readouterr().out.splitlines()
    sizes = [sum(path.stat().st_size for path in (data_dir / "cache" / name_of(task)).iterdir()) for task in tasks]
    assert sorted(lines) == sorted([
        *(f"{name_of(task)}  {size / 1e6:>12,.1f} MB  used {today}  {flights}, to predict delay"
          for task, size in zip(tasks, sizes, strict=True)),
        f"half  {0.1:>12,.1f} MB  used {today}  unfinished: the next start begins again",
    ])  # fmt: skip
    with pytest.raises(UsageError, match=r"^--delete ../x: there are no such data in .*cache; there are "):
        cache_command.main([f"--data_dir={data_dir}", "--delete", "half", "../x"])
    cache_command.main([f"--data_dir={data_dir}", "--delete", "half", name_of(tasks[0])])
    assert capsys.readouterr().out == f"deleted half, 0.1 MB\ndeleted {name_of(tasks[0])}, {sizes[0] / 1e6:,.1f} MB\n"
    with RunLock(data_dir / "cache" / name_of(tasks[1])), pytest.raises(Failure, match="is in use by process"):
        cache_command.main([f"--data_dir={data_dir}", "--delete", "all"])
    cache_command.main([f"--data_dir={data_dir}", "--delete", "all"])
    assert list((data_dir / "cache").iterdir()) == []


def test_the_command_lists_no_name_that_controls_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data_dir = tmp_path / "\x1b[2J"
    cache_command.main([f"--data_dir={data_dir}"])
    (data_dir / "cache" / "\x1b[31m").mkdir(parents=True)
    cache_command.main([f"--data_dir={data_dir}"])
    cache_command.main([f"--data_dir={data_dir}", "--delete", "all"])
    none, listed, deleted = capsys.readouterr().out.splitlines()
    assert none == rf"there are no converted data in {tmp_path}/\x1b[2J/cache"
    assert listed.startswith(r"\x1b[31m  ")
    assert deleted == r"deleted \x1b[31m, 0.0 MB"


def test_who_has_lost_the_folder_leaves_it_to_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (cache, lock_module):
        monkeypatch.setattr(module, "BEAT_EVERY", 0)
    folder = tmp_path / "cache" / "data"

    def make() -> dict[str, Any]:
        other = {**json.loads((folder / ".lock").read_text()), "token": 7}
        (folder / ".lock").write_text(json.dumps(other))
        (folder / "train.samples").write_bytes(b"the other's")
        for thread in threading.enumerate():
            if thread.name == "beat":
                thread.join()
        return {}

    with pytest.raises(Failure, match="was taken over, while this process was suspended, by process"):
        cache.found_or_made(folder, make)
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "train.samples"]
    assert json.loads((folder / ".lock").read_text())["token"] == 7
