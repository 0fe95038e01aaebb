"""The benchmark's arithmetic: what its table says of given measurements."""

import csv
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import pytest
from benchmarks import tables
from benchmarks.candidate import Candidate, Measurement, measure, take_turns
from benchmarks.ranks import Outcome, markdown, mean_ranks, ranks
from benchmarks.run import GROUPS, ON_GPU
from benchmarks.setting import Setting
from benchmarks.table import Row, line
from benchmarks.table_data import TABLES, Table, by_seed

SHARED_TABLES = Path(__file__).parents[2] / "shared" / "tables"


def epochs(*seconds: float, accuracy: float | None = None, weights: str | None = None) -> list[Measurement]:
    return [Measurement(9.0, epoch, accuracy=accuracy, weights=weights) for epoch in seconds]


@pytest.mark.parametrize(("accelerator", "sizes"), [("cpu", [1024]), ("gpu", [256, 1024, 8192])])
def test_the_accelerator_reaches_every_candidate_of_ours(accelerator: str, sizes: list[int]) -> None:
    setting = Setting(Path("data"), Path("arrays"), None, accelerator, epochs=3)
    for name in ON_GPU:
        for candidate in GROUPS[name](setting).candidates:
            assert candidate.command[candidate.command.index("--accelerator") + 1] == accelerator
    rows = GROUPS["device"](setting).rows
    assert [row.above for row in rows if row.below.startswith("by_hand,")] == [f"fit, batch {size}" for size in sizes]
    assert {row.at_most for row in rows[::3]} == {1.3 if accelerator == "gpu" else None}


def test_a_ratio_is_that_of_the_medians_with_the_range_of_the_rounds() -> None:
    measured = {"a": epochs(3.0, 1.0, 8.0), "b": epochs(1.0, 2.0, 2.0)}
    assert (
        line(Row("a", "b", "epoch"), measured) == "| a / b | 3.00 s an epoch | 2.00 | **1.50** (0.50 – 4.00) |  |  |  |"
    )


@pytest.mark.parametrize(
    ("targets", "cells"),
    [
        ({"at_most": 1.5}, "| ≤ 1.5 | yes |"),
        ({"at_most": 1.4}, "| ≤ 1.4 | **no** |"),
        ({"at_least": 1.5}, "| ≥ 1.5 | yes |"),
        ({"at_least": 1.6}, "| ≥ 1.6 | **no** |"),
    ],
)
def test_a_target_counts_as_reached_up_to_and_with_its_limit(targets: Any, cells: str) -> None:
    assert cells in line(Row("a", "b", "epoch", **targets), {"a": epochs(3.0), "b": epochs(2.0)})


def test_memory_is_compared_by_its_difference() -> None:
    measured = {"a": [Measurement(1.0, peak=900.4)], "b": [Measurement(1.0, peak=800.0)]}
    row = Row("a", "b", "peak", at_most=100, difference=True)
    assert line(row, measured) == "| a − b | 900 MB | 800 | **100** (100 – 100) | ≤ 100 | **no** |  |"


def test_accuracies_stand_beside_the_value() -> None:
    measured = {"a": [*epochs(1.0, accuracy=0.981), *epochs(1.0, accuracy=0.979)], "b": epochs(1.0, 1.0, accuracy=0.97)}
    assert line(Row("a", "b", "epoch"), measured).endswith("| 98.00 (≥ 97.90); 97.00 (≥ 97.00) |")


def test_the_same_weights_have_the_same_accuracy_and_others_do_not() -> None:
    measured = {"a": epochs(1.0, accuracy=0.98, weights="f00d"), "b": epochs(1.0, weights="f00d")}
    assert line(Row("a", "b", "epoch"), measured).endswith("| 98.00 (≥ 98.00); same weights |")
    measured["b"] = epochs(1.0, weights="beef")
    assert line(Row("a", "b", "epoch"), measured).endswith("| 98.00 (≥ 98.00) |")


def test_a_candidate_that_is_missing_is_named_as_not_measured() -> None:
    row = Row("a", "b", "epoch", at_least=2)
    assert line(row, {"b": epochs(1.0)}) == "| a / b | | | not measured | ≥ 2 | | |"


def test_candidates_take_turns_and_their_output_is_read() -> None:
    program = "import sys; print('epoch 1/3'); print('epoch 2/3'); print('test/accuracy   0.9' + sys.argv[1])"
    candidates = [Candidate(name, [sys.executable, "-c", program, "{round}"]) for name in ("a", "b")]
    measured = take_turns(candidates, rounds=2)
    assert {name: [m.accuracy for m in rounds] for name, rounds in measured.items()} == {
        "a": [0.9, 0.91],
        "b": [0.9, 0.91],
    }
    assert all(m.epoch is not None and 0 < m.epoch < m.seconds for rounds in measured.values() for m in rounds)


def test_a_candidate_that_fails_ends_the_benchmark_with_its_error() -> None:
    with pytest.raises(SystemExit, match=r"(?s)^broken failed: .*no such thing"):
        measure(Candidate("broken", [sys.executable, "-c", "raise SystemExit('no such thing')"]), 0)


def outcomes(*metrics: float, seconds: float = 2.0) -> list[Outcome]:
    return [Outcome(metric, seconds) for metric in metrics]


def test_equal_metrics_share_their_ranks() -> None:
    measured = {"a": outcomes(0.9, 0.8), "b": outcomes(0.85, 0.85), "c": outcomes(0.7, 0.7), "d": outcomes(1.0, 0.9)}
    assert ranks(measured, "accuracy") == {"a": 2.5, "b": 2.5, "c": 4, "d": 1}
    assert ranks(measured, "rmse") == {"a": 2.5, "b": 2.5, "c": 1, "d": 4}


def test_mean_ranks_are_of_tables_that_all_were_measured_on() -> None:
    measured = {
        "houses": {"a": outcomes(0.25, 0.35), "b": outcomes(0.5, 0.5)},
        "birds": {"a": outcomes(0.5, 0.5), "b": outcomes(0.5, 0.5, seconds=123.4)},
        "wine": {"b": outcomes(12_345.6)},
    }
    assert mean_ranks(measured, {"houses": "rmse", "birds": "accuracy", "wine": "rmse"}) == {"a": 1.25, "b": 1.75}
    assert markdown(measured, {"houses": "rmse", "birds": "accuracy", "wine": "rmse"}, ["a", "b"]) == [
        "| | a | b |",
        "|---|---|---|",
        "| houses, RMSE | **0.3000** ± 0.0500, 2 s | 0.5000 ± 0.0000, 2 s |",
        "| birds, accuracy | **50.00%** ± 0.00%, 2 s | **50.00%** ± 0.00%, 123 s |",
        "| wine, RMSE | not measured | **12,346**, 2 s |",
        "| mean rank | **1.25** | **1.75** |",
    ]


def write_birds(folder: Path) -> Path:
    """A table of 90 rows in pairs that differ in the identifier only, and of three classes."""
    rows = [[n, n // 2, n // 30, "red" if n % 3 else "NA", f"class {n // 30}"] for n in range(90)]
    with (folder / "penguins.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "a", "b", "colour", "species"], *rows])
    return folder


def test_a_split_keeps_equal_rows_on_one_side_and_the_classes_proportion(tmp_path: Path) -> None:
    table = Table("penguins.csv", "species", "accuracy", by_seed("id", "colour"))
    header, parts = table.split(table, write_birds(tmp_path), 0)
    assert header == ["a", "b", "species"]
    assert {name: len(rows) for name, rows in parts.items()} == {"train": 60, "val": 12, "test": 18}
    names = {name: {tuple(row) for row in rows} for name, rows in parts.items()}
    assert sum(map(len, names.values())) == len(set.union(*names.values())) == 45
    assert statistics.multimode(row[2] for row in parts["test"]) == ["class 0", "class 1", "class 2"]
    assert table.split(table, tmp_path, 0) == (header, parts)
    assert table.split(table, tmp_path, 1)[1] != parts


@pytest.mark.skipif(not SHARED_TABLES.is_dir(), reason="the real tables aren't here")
def test_the_splits_of_the_papers() -> None:
    sizes = {"california": (13_209, 3_303, 4_128), "california_ocean": (13_209, 3_303, 4_128)}
    for name, expected in (sizes | {"adult": (26_049, 6_512, 16_281)}).items():
        table = TABLES[name]
        header, parts = table.split(table, SHARED_TABLES, 0)
        assert tuple(len(parts[part]) for part in ("train", "val", "test")) == expected
        assert {len(row) for rows in parts.values() for row in rows} == {len(header)}
        targets = [row[header.index(table.target)] for row in parts["test"]]
        if name == "california":
            assert statistics.pstdev(map(float, targets)) == pytest.approx(1.1419084, abs=1e-7)
        if name == "adult":
            assert targets.count("<=50K") == 12_435
            assert targets.count(">50K") == 3_846


def test_a_table_is_measured_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results.json"
    flags = ["--tables", str(write_birds(tmp_path)), "--only", "penguins", "--seeds", "0", "--results", str(results)]
    fast = "--max_epochs 1 --hidden [4] --bins 0 --members 1"
    monkeypatch.setattr(sys, "argv", ["tables.py", *flags, "--flags", fast])
    tables.main()
    key = f"penguins, LitMLP {fast}, seed 0"
    metric, seconds = json.loads(results.read_text())[key]
    printed = capsys.readouterr().out.splitlines()
    assert printed[-4:] == [
        f"| | LitMLP {fast} |",
        "|---|---|",
        f"| penguins, accuracy | **{metric:.2%}**, {seconds:.3g} s |",
        "| mean rank | **1.00** |",
    ]
    results.write_text(json.dumps({key: [0.25, 3.0]}))
    tables.main()
    assert capsys.readouterr().out.splitlines()[-2] == "| penguins, accuracy | **25.00%**, 3 s |"


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--only", "penguin"], "argument --only: no penguin; there are california, "),
        (["--peers", "no-such-python"], "argument --peers: no-such-python: there is no such interpreter"),
    ],
)
def test_wrong_flags_of_the_tables(
    flags: list[str], line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["tables.py", *flags])
    with pytest.raises(SystemExit):
        tables.main()
    assert line in capsys.readouterr().err
