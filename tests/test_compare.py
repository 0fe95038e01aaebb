"""compare.py fits a task with one flag varied, and shows what the flag did: a table, and a picture."""

import os
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from statistics import fmean, stdev
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image

from litmlp.commands import compare
from litmlp.errors import Failure, UsageError
from litmlp.runs import Run
from litmlp.studies.outcomes import Outcome, table
from litmlp.studies.plots import HEIGHT, LABEL_HEIGHT, picture, seeds_curve, spec
from litmlp.studies.scales import (
    DISTINCT,
    ORDERED,
    colours,
    epoch_axis,
    metric_at,
    position_on,
    spread,
    tick_axis,
    whole_epochs,
)
from litmlp.studies.values import in_run_name, read_values
from tests.conftest import Fit, curves

NOBODY = 65534
NO_NAME = "can't name a run; give a mapping of short labels to values"
TWICE = "the comparison itself gives it its values; leave it out"
NAMES = "--run and --resume: a comparison names its runs itself; use --name"
CURVES = "a comparison is drawn from the runs' own curves; leave it out"
XOR = ["--task", "xor", "--accelerator", "cpu", "--max_epochs", "2"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path


@pytest.fixture
def xor_runs(run_fit: Fit, capsys: pytest.CaptureFixture[str]) -> dict[tuple[str, int], Run]:
    """The fits of a comparison of two values with two seeds, as if an earlier command had made them."""
    runs = {
        (label, seed): run_fit(
            f"--hidden={hidden}", f"--seed={seed}", "--max_epochs=2", name=f"xor-hidden-{label}-seed{seed}", task="xor"
        )
        for label, hidden in (("8-4", "[8,4]"), ("empty", "[]"))
        for seed in (0, 1)
    }
    capsys.readouterr()
    return runs


def test_the_table_of_complete_fits_is_made_of_their_results(
    xor_runs: dict[tuple[str, int], Run], capsys: pytest.CaptureFixture[str]
) -> None:
    before = {run.results: run.results.stat().st_mtime_ns for run in xor_runs.values()}
    compare.main([*XOR, "--vary", "hidden", "[[8,4],[]]", "--seeds", "[0, 1]"])
    assert {path: path.stat().st_mtime_ns for path in before} == before
    lines = capsys.readouterr().out.splitlines()
    assert lines[:5] == [
        "1 of 4: hidden=[8,4], seed 0, is complete",
        "2 of 4: hidden=[8,4], seed 1, is complete",
        "3 of 4: hidden=[], seed 0, is complete",
        "4 of 4: hidden=[], seed 1, is complete",
        "",
    ]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[5:9]]
    assert len({len(line) for line in lines[5:9]}) == 1
    assert rows[0] == [
        "hidden",
        "test accuracy (%)",
        "test loss",
        "validation accuracy (%)",
        "parameters",
        "training (s)",
    ]
    assert rows[1][0] == "-" * len("hidden")
    for row, label, run_label, parameters in ((rows[2], "[8,4]", "8-4", 70), (rows[3], "[]", "empty", 6)):
        accuracies, losses, seconds, validation = [], [], [], []
        for seed in (0, 1):
            results = xor_runs[run_label, seed].read_results()
            assert results is not None
            accuracies.append(100 * results["test"]["accuracy"])
            losses.append(results["test"]["loss"])
            seconds.append(results["seconds"])
            shown = curves(xor_runs[run_label, seed])
            best = min(range(2), key=lambda epoch: shown["val/loss"][epoch][1])
            validation.append(100 * shown["val/accuracy"][best][1])
        assert row == [
            label,
            f"{fmean(accuracies):.2f} ± {stdev(accuracies):.2f}",
            f"{fmean(losses):.4f} ± {stdev(losses):.4f}",
            f"{fmean(validation):.2f} ± {stdev(validation):.2f}",
            str(parameters),
            f"{fmean(seconds):.1f}",
        ]
    folder = Path("lightning_logs/xor/xor-hidden-comparison")
    assert lines[9:] == [
        "",
        "Mean ± std of the seeds 0, 1.",
        "",
        f"picture          {folder}/xor-hidden.svg",
        f"picture          {folder}/xor-hidden.png",
    ]
    svg = ElementTree.parse(folder / "xor-hidden.svg").getroot()
    texts = {element.text for element in svg.iter("{http://www.w3.org/2000/svg}text")}
    expected = {"Task xor, --hidden varied", "[8,4]", "[]", "loss", "validation accuracy (%)", "epoch", "1", "2"}
    expected.add("solid: validation, dashed: training; lines: mean of 2 seeds, bands: lowest to highest seed")
    assert expected <= texts
    with Image.open(folder / "xor-hidden.png") as image:
        assert image.size == tuple(3 * int(svg.attrib[side]) for side in ("width", "height"))


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--max_epochs", "1"], "--max_epochs 1 contradicts the run {run}, made with --max_epochs 2"),
        (["--max_epochs", "3"], "--max_epochs 3 contradicts the run {run}, made with --max_epochs 2"),
        ([], "--max_epochs 5 contradicts the run {run}, made with --max_epochs 2"),
        (["--max_epochs", "2", "--lr", "0.5"], "--lr 0.5 contradicts the run {run}, made with --lr 0.02"),
        (["--max_epochs", "2", "--devices", "2"], "--devices 2 contradicts the run {run}, made with --devices auto"),
    ],
)  # fmt: skip
def test_a_fit_with_other_settings_is_told(flags: list[str], line: str, run_fit: Fit, tmp_path: Path) -> None:
    run_fit("--max_epochs=2", "--hidden=[4]", name="xor-hidden-4-seed0", task="xor")
    before = sorted(tmp_path.rglob("*"))
    flags = ["--task", "xor", "--accelerator", "cpu", *flags]
    with pytest.raises(UsageError) as error:
        compare.main([*flags, "--vary", "hidden", "[[2], [4]]"])
    run = "lightning_logs/xor/xor-hidden-4-seed0"
    assert str(error.value) == f"{line.format(run=run)}: choose another --name"
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        ([], "the following arguments are required: --vary"),
        (["--vary", "lr"], "argument --vary: expected 2 arguments"),
        (["--vary", "hiden", "[1]"], "there is no flag --hiden; did you mean --hidden?"),
        (["--vary", "lr", "[]"], "--vary lr []: must be a list like '[0.1, 0.01]', or a mapping of labels to values"),
        (["--vary", "lr", "0.1"], "--vary lr 0.1: must be a list like '[0.1, 0.01]', or a mapping of labels to values"),
        (["--vary", "lr", "[0.1"], "--vary lr [0.1: isn't YAML"),
        (["--vary", "lr", "!!timestamp x"], "--vary lr !!timestamp x: isn't YAML"),
        (["--vary", "lr", "[!!bool x]"], "--vary lr [!!bool x]: isn't YAML"),
        (["--vary", "lr", "&a [*a]"], "--vary lr &a [*a]: is nested too deeply"),
        (["--vary", "lr", "[" * 3_000], f"--vary lr {'[' * 3_000}: is nested too deeply"),
        (["--vary", "lr", "[0.1, fast]"], "--lr fast: must be a number"),
        (["--vary", "lr", "[0.1, -1]"], "--lr -1.0: must be a number above 0"),
        (["--vary", "lr", "[0.1, 0.1]"], "--vary lr: 0.1 is there twice"),
        (["--vary", "lr", "[0.1, 1e-1]"], "--vary lr: 0.1 and 1e-1 are the same value"),
        (["--vary", "hidden", "{a b: [1], a-b: [2]}"], f"--vary hidden: a-b {NO_NAME}"),
        (["--vary", "hidden", "{Wide: [1], wide: [2]}"], f"--vary hidden: wide {NO_NAME}"),
        (["--vary", "hidden", f"{{{'x' * 81}: [4]}}"], f"--vary hidden: {'x' * 81} {NO_NAME}"),
        (["--vary", "gradient_clip_val", "[1, -1]"], "--gradient_clip_val -1.0: must be at least 0"),
        (["--vary", "lr", "[1]", "--vary", "hidden", "[[]]"], "--vary lr --vary hidden: a comparison varies one flag"),
        (["--vary", "task", "[log]"], "--vary task: this flag can't be varied"),
        (["--vary", "lr", "[1]", "--lr=2"], f"--lr: {TWICE}"),
        (["--vary", "lr", "[1]", "--seed", "2", "--seeds", "[1]"], f"--seed: {TWICE}"),
        (["--vary", "seed", "[1]", "--seeds", "[1]"], f"--seed: {TWICE}"),
        (["--vary", "lr", "[1]", "--seeds", "3"], "--seeds 3: must be a list like '[0,1,2]'"),
        (["--vary", "lr", "[1]", "--seeds", "[true]"], "--seeds [true]: must be a list like '[0,1,2]'"),
        (["--vary", "lr", "[1]", "--seeds", "[1, 1]"], "--seeds [1, 1]: a seed is there twice"),
        (["--vary", "lr", "[1]", "--seeds", "[-1]"], "--seed -1: must be from 0 to 2**32 - 1"),
        (["--vary", "lr", "[1]", "--run", "x"], NAMES),
        (["--vary", "lr", "[1]", "--resume", "last"], NAMES),
        (["--vary", "lr", "[1]", "--name", "a/b"], "--name a/b: a run's name is made of letters, digits and _ . + = -"),
        (["--vary", "lr", "[1]", "--logger", "false"], f"--logger: {CURVES}"),
        (["--vary", "lr", "[1]", "--fast_dev_run", "1"], f"--fast_dev_run: {CURVES}"),
        (["--vary", "lr", "[1]", "--jobs", "two"], "argument --jobs: invalid int value: 'two'"),
        (["--vary", "lr", "[1]", "--jobs", "0"], "--jobs 0: must be from 1 to 1024"),
    ],
)  # fmt: skip
def test_bad_input_is_told_before_the_first_fit(flags: list[str], line: str, here: Path) -> None:
    with pytest.raises(UsageError) as error:
        compare.main(["--task", "xor", "--accelerator", "cpu", *flags])
    assert str(error.value) == line
    assert list(here.iterdir()) == []


def test_two_tasks_cannot_have_runs_of_one_name(run_fit: Fit) -> None:
    run_fit("--max_epochs=1", name="mine-0.5-seed0", task="xor")
    with pytest.raises(UsageError) as error:
        compare.main(["--task", "log", "--accelerator", "cpu", "--vary", "lr", "[0.5]", "--name", "mine"])
    assert str(error.value) == "--name mine: another task has a run mine-0.5-seed0; choose another --name"


def test_a_place_that_cannot_be_written_to_is_told_before_the_first_fit(here: Path) -> None:
    (here / "file").touch()
    with pytest.raises(Failure) as error:
        compare.main([*XOR, "--vary", "lr", "[1]", "--out", "file"])
    assert str(error.value) == "can't write file (Not a directory): choose another --out or --default_root_dir"
    if os.geteuid() == 0:  # only root can be somebody else
        os.seteuid(NOBODY)
        try:
            with pytest.raises(Failure, match=r"^can't write new/folder \(Permission denied\): "):
                compare.main([*XOR, "--vary", "lr", "[1]", "--out", "new/folder"])
        finally:
            os.seteuid(0)
    assert list(here.iterdir()) == [here / "file"]


def test_without_the_extra_nothing_is_fitted(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(Failure) as error:
        compare.main([*XOR, "--vary", "lr", "[1]"])
    assert str(error.value) == "compare.py needs vl_convert: pip install -r requirements-compare.txt"
    assert list(here.iterdir()) == []


def test_a_fit_that_diverged_is_told_and_drawn(run_fit: Fit, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--max_epochs=2", "--optimizer=sgd", "--schedule=constant"]
    for label, rate in (("fine", "0.01"), ("far-too-much", "10")):
        run_fit(*flags, f"--lr={rate}", name=f"a-{label}-seed0", task="log_value")
    capsys.readouterr()
    flags += ["--task", "log_value", "--accelerator", "cpu", "--name", "a", "--out", "drawn"]
    compare.main([*flags, "--vary", "lr", "{fine: 0.01, far too much: 10}"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[3].startswith("| lr                      | test R² | test loss | validation R² |")
    assert lines[6].startswith("| far too much (diverged) |     nan |       nan |           nan |      4,417 |")
    svg = Path("drawn/a.svg").read_text()
    assert "far too much (diverged)" in svg
    assert "NaN" not in svg
    assert Path("drawn/a.png").is_file()


@pytest.mark.parametrize("damage", [lambda content: b"", lambda content: content[:1200] + b"x" + content[1201:]])
def test_a_run_that_has_lost_its_curves_is_told(damage: Callable[[bytes], bytes], run_fit: Fit) -> None:
    run = run_fit("--max_epochs=2", "--lr=1", name="a-1-seed0", task="xor")
    events = min(run.folder.glob("events.*"))
    events.write_bytes(damage(events.read_bytes()))
    with pytest.raises(Failure) as error:
        compare.main([*XOR, "--vary", "lr", "[1]", "--name", "a"])
    lost = "has lost its results or curves: remove it, and the same command fits it again"
    assert str(error.value) == f"lightning_logs/xor/a-1-seed0 {lost}"


def outcome(label: str, seed: int, losses: list[float], scores: list[float], score: str = "accuracy") -> Outcome:
    figures = {"train/loss": losses, "val/loss": losses, f"val/{score}": scores}
    curves = {name: [*zip(map(float, range(1, 9)), values, strict=False)] for name, values in figures.items()}
    curves["train/step_loss"] = [(0.01, 9.0)]  # a run logs it, too; it is not drawn
    return Outcome(label, seed, 1, 1.0, {"loss": losses[-1], score: scores[-1]}, curves)


def test_the_validation_figure_is_that_of_the_checkpoint_that_was_tested() -> None:
    nan = float("nan")
    assert outcome("a", 0, [0.5, 0.3, 0.3, nan], [0.1, 0.2, 0.3, 0.4]).validation_score == 0.2
    assert outcome("a", 0, [0.5, 0.3, 0.3, nan], [0.1, 0.2, 0.3, 0.4]).diverged
    assert not outcome("a", 0, [0.5, 0.3], [0.1, 0.2]).diverged
    rows = table("lr", [outcome("a", 0, [0.5], [0.5]), outcome("a", 1, [nan], [0.5])])
    assert rows[2].startswith("| a (1 of 2 diverged) |      50.00 ± 0.00 |       nan |                     nan |")


def test_the_picture_s_scales() -> None:
    wide = spec("t", "lr", {"a": 1, "b": 2}, [outcome("a", 0, [1.0, 0.01], [0.1, 0.9]), outcome("b", 0, [9.0], [0.5])])
    assert wide["hconcat"][0]["layer"][0]["encoding"]["y"]["scale"]["type"] == "log"
    narrow = spec("t", "lr", {"a": 1}, [outcome("a", 0, [1.0, 0.5], [-3.0, 0.9], "r2")])
    assert narrow["hconcat"][0]["layer"][0]["encoding"]["y"]["scale"]["type"] == "linear"
    domain = narrow["hconcat"][1]["layer"][0]["encoding"]["y"]["scale"]["domain"]
    assert domain == pytest.approx([-0.027, 0.927])
    zero = spec("t", "lr", {"a": 1}, [outcome("a", 0, [1.0, 0.0], [1.0, 1.0])])
    assert zero["hconcat"][0]["layer"][0]["encoding"]["y"]["scale"]["type"] == "linear"
    assert zero["hconcat"][1]["layer"][0]["encoding"]["y"]["scale"]["domain"] == [99.0, 101.0]


def test_the_epochs_begin_at_the_first_point() -> None:
    chart = spec("t", "lr", {"a": 1}, [outcome("a", 0, [1.0, 0.9, 0.8, 0.7, 0.6], [0.5] * 5)])
    for panel in chart["hconcat"]:
        x = panel["layer"][0]["encoding"]["x"]
        assert x["scale"] == {"domain": [1.0, 5.12], "nice": False}
        assert x["axis"]["values"] == [1, 2, 3, 4, 5]
    assert [whole_epochs(*ends) for ends in ((0.5, 1.5), (1, 1), (1, 10), (1, 11), (1, 120))] == [
        [1],
        [1],
        [*range(1, 11)],
        [1, 2, 4, 6, 8, 10],
        [1, 20, 40, 60, 80, 100, 120],
    ]
    assert epoch_axis(1, 1)["scale"]["domain"] == [0, 1.03]


def test_grid_lines_of_a_logarithmic_axis_are_the_powers_of_ten() -> None:
    chart = spec("t", "lr", {"a": 1}, [outcome("a", 0, [3.0, 0.02], [0.5, 0.6])])
    assert chart["hconcat"][0]["layer"][0]["encoding"]["y"]["axis"] == {
        "values": [0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0],
        "format": "~g",
        "gridOpacity": {
            "condition": {"test": "indexof([0.01, 0.1, 1.0, 10.0], datum.value) >= 0", "value": 1},
            "value": 0,
        },
    }
    assert chart["hconcat"][1]["layer"][0]["encoding"]["y"]["axis"] == {}
    assert tick_axis({"type": "log", "domain": [0.0009, 1.1]})["values"] == [0.001, 0.01, 0.1, 1.0]
    svg, _ = picture("t", "lr", {"a": 1}, [outcome("a", 0, [3.0, 0.02], [0.5, 0.6])])
    assert svg.count('stroke="#E5E5E5" stroke-width="1" opacity="0"') == 5


def points(chart: dict[str, Any], panel: int, of: str) -> list[tuple[Any, ...]]:
    data = chart["hconcat"][panel]["data"]["values"]
    return [tuple(value for name, value in row.items() if name != "of") for row in data if row["of"] == of]


def test_lines_are_means_and_bands_reach_from_the_lowest_to_the_highest_seed() -> None:
    nan = float("nan")
    seeds = [outcome("a", 0, [4.0, 1.0, 0.5], [0.1, 0.2, 0.3]), outcome("a", 1, [2.0, nan, 0.25], [0.5, 0.4, 0.5])]
    chart = spec("t", "lr", {"a": 1, "b": 2}, [*seeds, outcome("b", 0, [3.0], [0.5])])
    assert points(chart, 0, "validation") == [("a", 1.0, 3.0), ("a", 2.0, None), ("a", 3.0, 0.375), ("b", 1.0, 3.0)]
    assert points(chart, 0, "training") == points(chart, 0, "validation")
    assert points(chart, 0, "band") == [("a", 1.0, 2.0, 4.0), ("a", 2.0, None, None), ("a", 3.0, 0.25, 0.5)]
    assert points(chart, 0, "end") == [("a", 3.0, 0.375), ("b", 1.0, 3.0)]
    assert points(chart, 1, "band") == [
        ("a", 1.0, pytest.approx(10), pytest.approx(50)),
        ("a", 2.0, pytest.approx(20), pytest.approx(40)),
        ("a", 3.0, pytest.approx(30), pytest.approx(50)),
    ]
    assert points(chart, 1, "training") == []
    drawn = [
        (layer["transform"][0]["filter"], layer["mark"]["type"], layer["encoding"]["y"]["field"])
        for layer in chart["hconcat"][0]["layer"]
    ]
    assert drawn == [
        ("datum.of == 'band'", "area", "metric"),
        ("datum.of == 'training'", "line", "metric"),
        ("datum.of == 'validation'", "line", "metric"),
        ("datum.of == 'label'", "rule", "metric"),
        ("datum.of == 'end'", "point", "metric"),
        ("datum.of == 'label'", "text", "label_y"),
    ]
    assert seeds_curve([[(1, 2.0), (2, 4.0)], [(1, 4.0)]], fmean) == [(1, 3.0)]


def legends(chart: dict[str, Any]) -> list[bool]:
    """Whether each panel's markers have a legend."""
    return [
        all("legend" not in panel["layer"][4]["encoding"][name] for name in ("color", "shape"))
        for panel in chart["hconcat"]
    ]


def test_lines_are_labelled_at_their_ends() -> None:
    values = {"a": 0.1, "b": 0.2, "c": 0.3}
    ends = {"a": 0.5, "b": 0.501, "c": 1.0}
    chart = spec(
        "t", "lr", values, [outcome(label, 0, [2.0, ends[label]], [0.1, 0.2 + ends[label]]) for label in values]
    )
    assert legends(chart) == [False, False]
    for panel in range(2):
        scale = chart["hconcat"][panel]["layer"][0]["encoding"]["y"]["scale"]
        heights = {row[0]: HEIGHT * position_on(scale, row[3]) for row in points(chart, panel, "label")}
        assert heights["b"] - heights["a"] == pytest.approx(LABEL_HEIGHT)
        assert heights["c"] == pytest.approx(HEIGHT * position_on(scale, points(chart, panel, "end")[2][2]))
    svg, _ = picture("t", "lr", values, [outcome(label, 0, [2.0, end], [0.1, 0.2]) for label, end in ends.items()])
    assert [svg.count(f">{label}</text>") for label in values] == [2, 2, 2]


@pytest.mark.parametrize(
    "outcomes",
    [
        [outcome("ends earlier", 0, [2.0], [0.1]), outcome("b", 0, [2.0, 1.0], [0.1, 0.2])],
        [outcome("diverges", 0, [2.0, float("nan")], [0.1, 0.2]), outcome("b", 0, [2.0, 1.0], [0.1, 0.2])],
        [outcome("too long for a line's end", 0, [2.0, 1.0], [0.1, 0.2])],
        [outcome("below the axis", 0, [2.0, 1.0], [0.1, -1.0], "r2")],
        [outcome(f"one of {number}", 0, [2.0, 1.0], [0.1, 0.2]) for number in range(8)],
    ],
)
def test_a_legend_stands_where_labels_do_not_fit(outcomes: list[Outcome]) -> None:
    chart = spec("t", "lr", {each.label: None for each in outcomes}, outcomes)
    assert legends(chart) == [True, True]
    assert points(chart, 0, "label") == points(chart, 1, "label") == []


def test_labels_are_spread_no_farther_than_needed() -> None:
    assert spread([1.0, 50.0, 20.0], 10) == [1.0, 50.0, 20.0]
    assert spread([10.0, 10.0], 10) == [5.0, 15.0]
    assert spread([12.0, 11.0, 10.0, 100.0], 10) == [21.0, 11.0, 1.0, 100.0]
    assert spread([0.0, 14.0, 15.0], 10) == pytest.approx([-1 / 3, 29 / 3, 59 / 3])
    assert spread([], 10) == []
    for scale in ({"type": "log", "domain": [0.01, 100]}, {"type": "linear", "domain": [-1, 3]}):
        assert position_on(scale, 1.0) == pytest.approx(0.5)
        assert metric_at(scale, position_on(scale, 2.5)) == pytest.approx(2.5)


def test_more_values_than_colours_are_drawn() -> None:
    labels = [f"value {number}" for number in range(12)]
    outcomes = [outcome(label, 0, [1.0 + number], [0.5]) for number, label in enumerate(labels)]
    svg, png = picture("t", "callbacks", dict.fromkeys(labels), outcomes)
    assert all(label in svg for label in labels)
    with Image.open(BytesIO(png)) as image:
        assert image.format == "PNG"


def test_numbers_are_coloured_from_dark_to_light() -> None:
    assert colours({"1e-1": "1e-1", "1": 1, "0": 0.0}) == [ORDERED[4], ORDERED[8], ORDERED[0]]
    assert colours({"a": True, "b": 1, "c": 2}) == [*DISTINCT[:3]]
    assert colours({"a": 1, "b": 2}) == [*DISTINCT[:2]]


def test_labels_and_the_names_of_runs() -> None:
    values = read_values("augment", "{none: {}, affine: {rotation: 7.5}, null: null, 3: [x]}")
    assert values == {"none": {}, "affine": {"rotation": 7.5}, "null": None, "3": ["x"]}
    assert [*read_values("x", "[[512, 256], {a: 1.5}, null, true, 1e-3, -1]")] == [
        *("[512,256]", '{"a":1.5}', "null", "true", "1e-3", "-1")
    ]
    names = {"[512,256]": "512-256", '{"a":1.5}': "a-1.5", "[]": "empty", "-1": "-1", "a/../b": "a-..-b"}
    assert {label: in_run_name(label) for label in names} == names
