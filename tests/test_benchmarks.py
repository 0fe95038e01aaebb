"""The benchmark's arithmetic: what its table says of given measurements."""

import sys
from pathlib import Path
from typing import Any

import pytest
from benchmarks.candidate import Candidate, Measurement, measure, take_turns
from benchmarks.run import GROUPS, ON_GPU
from benchmarks.setting import Setting
from benchmarks.table import Row, line


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
