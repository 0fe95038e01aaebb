"""test.py repeats a run's test, and shows where the model is wrong."""

import re
import shutil
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from litmlp.commands import test as command
from litmlp.errors import Failure, UsageError
from litmlp.model.checkpoint import IDENTITY, write_checkpoint
from litmlp.runs import Run
from litmlp.studies.charts import (
    ACROSS,
    BLUE,
    DOWN,
    FONT_SIZE,
    GAP,
    LINE,
    PAPER,
    RED,
    captioned_grid,
    confusion_chart,
    width_of,
    write,
)
from litmlp.studies.diagrams import predicted_chart
from litmlp.studies.errors import (
    WORST_IN_GRID,
    caption,
    confusion_matrix,
    errors_chart,
    errors_in_lines,
    table,
    worst_errors,
)
from litmlp.tasks import TASKS
from litmlp.training.mlp import MLP
from tests.conftest import spec_of


def test_the_same_metrics_as_at_the_end_of_fitting(
    trained: Callable[[str], Run], capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained("digits")
    command.main(["--ckpt", str(run.folder)])
    lines = capsys.readouterr().out.splitlines()
    reached = run.read_results()
    assert reached is not None
    assert lines[:2] == [f"test/{name:<10} {reached['test'][name]:#.4g}" for name in ("loss", "accuracy")]
    rows = [line.split() for line in lines[lines.index("") + 3 :][:10]]
    assert [row[0] for row in rows] == [*"0123456789"]
    counts = torch.tensor([[0 if cell == "·" else int(cell) for cell in row[1:11]] for row in rows])
    samples, targets = TASKS["digits"]().split("test")
    assert counts.sum(1).tolist() == targets.bincount().tolist()
    assert int(counts.trace()) / len(targets) == pytest.approx(reached["test"]["accuracy"])
    assert [row[11] for row in rows] == [f"{float(share):.2%}" for share in counts.diag() / counts.sum(1)]
    predictions = MLP.load_from_checkpoint(run.best)(samples).argmax(1)
    assert f"{int((predictions != targets).sum())} errors, the most confident of them (truth, not prediction):" in lines
    events = EventAccumulator(str(run.folder))
    events.Reload()
    assert {"test/confusion", "test/worst_errors"} <= set(events.Tags()["images"])


def test_the_order_of_errors() -> None:
    probabilities = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7], [0.01, 0.99]])
    targets = torch.tensor([0, 0, 1, 0, 1])
    assert worst_errors(probabilities, targets).tolist() == [1, 3, 2]
    assert confusion_matrix(probabilities.argmax(1), targets, 2).tolist() == [[1, 2], [1, 1]]


def test_the_table_cuts_long_names() -> None:
    lines = table(torch.tensor([[3, 1], [0, 0]]), ["a name that is " + "long " * 8, "b"])
    assert lines[2].split() == ["a", "name", "that", "is", "long", "long", "long", "long", "long…", "b", "accuracy"]
    assert lines[3].split()[-3:] == ["3", "1", "75.00%"]
    assert lines[4].split() == ["b", "·", "·", "none"]


def test_a_regression_shows_its_largest_errors(
    trained: Callable[[str], Run], capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained("log_value")
    command.main(["--ckpt", str(run.best)])
    lines = capsys.readouterr().out.splitlines()
    reached = run.read_results()
    assert reached is not None
    assert lines[:4] == [f"test/{name:<10} {reached['test'][name]:#.4g}" for name in ("loss", "rmse", "mae", "r2")]
    samples, targets = TASKS["log_value"]().split("test")
    with torch.inference_mode():
        values = MLP.load_from_checkpoint(run.best)(samples)
    worst = int((values - targets).abs().argmax())
    x, y = samples[worst].tolist()
    assert lines[6] == (
        f"  sample {worst} at ({x:.4g}, {y:.4g}): {float(targets[worst]):.4g}, not {float(values[worst]):.4g}"
    )


def test_a_checkpoint_alone_writes_beside_no_run(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    command.main(["--ckpt", str(digits)])
    assert (
        capsys.readouterr().out.splitlines()[-1] == "images           tensorboard --logdir lightning_logs/digits/test"
    )
    events = EventAccumulator(str(tmp_path / "lightning_logs" / "digits" / "test"))
    events.Reload()
    assert events.Tags()["images"] == ["test/confusion", "test/worst_errors"]


@pytest.mark.parametrize("step", ["x", float("nan"), 10**30], ids=["text", "nan", "too large"])
def test_the_step_that_a_checkpoint_claims_is_not_needed(
    step: object, trained: Callable[[str], Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = torch.load(trained("xor").best, weights_only=True)
    printed = []
    for name, claimed in (("honest", content["global_step"]), ("hostile", step)):
        torch.save({**content, "global_step": claimed}, tmp_path / f"{name}.ckpt")
        command.main(["--ckpt", str(tmp_path / f"{name}.ckpt"), "--default_root_dir", str(tmp_path)])
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert "0 errors" in printed[1].splitlines()


def test_missing_data_is_one_line(trained: Callable[[str], Run], tmp_path: Path) -> None:
    for task, end in {"nonsense": ": name its class, as --task my_tasks.py:MyTask", "digits": " in that form"}.items():
        model = MLP(spec_of(2, task=task))
        content = {**IDENTITY, "hyper_parameters": dict(model.hparams), "state_dict": model.state_dict()}
        write_checkpoint(content, tmp_path / "x.ckpt")
        with pytest.raises(Failure) as error:
            command.main(["--ckpt", str(tmp_path / "x.ckpt")])
        assert str(error.value) == f"the checkpoint's task is {task}, which there isn't here{end}"
    copy = tmp_path / "a" / "run" / "checkpoints"
    copy.mkdir(parents=True)
    shutil.copy(trained("digits").best, copy / "best.ckpt")
    (copy.parent / "config.yaml").write_text("seed: [")
    with pytest.raises(Failure, match="config.yaml isn't YAML: "):
        command.main(["--ckpt", str(copy / "best.ckpt")])


def blended(full: tuple[int, int, int], shade: float) -> tuple[int, ...]:
    return tuple(round(255 + (band - 255) * shade) for band in full)


def corner(names: list[str], turned: bool) -> tuple[int, int]:
    """Left and top of a confusion matrix's first cell."""
    widest = max(map(width_of, names))
    return LINE + widest + 2 * GAP, LINE + (widest if turned else LINE) + GAP


def test_a_weak_class_is_seen_on_the_diagonal_and_beside_it() -> None:
    chart = confusion_chart(torch.tensor([[5, 0, 0], [1, 4, 0], [0, 0, 0]]), ["0", "1", "2"])
    left, top = corner(["0", "1", "2"], turned=False)
    colours = [[chart.getpixel((left + ACROSS * x, top + DOWN * y)) for x in range(3)] for y in range(3)]
    assert colours == [
        [BLUE, PAPER, PAPER],
        [blended(RED, 0.2**0.5), blended(BLUE, 0.8**4), PAPER],
        [PAPER, PAPER, PAPER],
    ]
    for row, recall in enumerate(["100.0%", "80.0%", "none"]):
        middle = top + DOWN * row + DOWN // 2
        assert_shows(chart, recall, (chart.width - GAP - half(recall), middle))
    assert_shows(chart, "recall", (chart.width - GAP - half("recall"), top - LINE // 2))


def half(text: str) -> int:
    """Pixels from the middle of a text to its right end."""
    return -(-width_of(text) // 2)


def assert_shows(chart: Image.Image, text: str, middle: tuple[int, int], turned: bool = False) -> None:
    """Check that a chart has the text there, on white, and nothing else."""
    paper = Image.new("RGB", chart.size, PAPER)
    write(paper, text, middle, turned=turned)
    across, down = (LINE, width_of(text)) if turned else (width_of(text), LINE)
    box = (middle[0] - across // 2, middle[1] - down // 2, middle[0] + across // 2, middle[1] + down // 2)
    assert chart.crop(box).tobytes() == paper.crop(box).tobytes()
    assert paper.crop(box).getcolors() != [(across * down, PAPER)]


def test_only_names_that_do_not_fit_are_turned() -> None:
    short, long = list("0123456789"), [f"garment {number}" for number in range(10)]
    for names, turned in ((short, False), (long, True), (long[:3], False)):
        chart = confusion_chart(torch.eye(len(names)).long(), names)
        left, top = corner(names, turned)
        across = ACROSS if turned or names is short else width_of(names[0]) + GAP
        rise = (width_of(names[0]) + GAP if turned else LINE) // 2
        for index, name in enumerate(names):
            assert_shows(chart, name, (left + across * index + across // 2, top - rise), turned)
        assert_shows(chart, "predicted class", (left + across * len(names) // 2, LINE // 2))
        assert_shows(chart, "true class", (LINE // 2, top + DOWN * len(names) // 2), turned=True)


def test_letters_are_readable_in_tensorboard_s_cards() -> None:
    garments = TASKS["fashion_mnist"].classes
    assert garments is not None
    for names, most in ((list("0123456789"), 1135), (list(garments), 1000)):
        chart = confusion_chart(torch.eye(10).long() * most, names)
        captions = [f"{names[0]},\nnot {names[-1]}\n(100.0%)"] * WORST_IN_GRID
        for image in (chart, captioned_grid(torch.ones(WORST_IN_GRID, 1, 28, 28), captions)):
            assert FONT_SIZE * min(320 / image.width, 215 / image.height) > 8


def test_long_names_and_signs_that_the_font_lacks() -> None:
    left, top = corner(["log(x + y) <= 0"], turned=False)
    chart = confusion_chart(torch.eye(2).long(), ["log(x + y) ≤ 0", "b"])
    assert_shows(chart, "log(x + y) <= 0", (left - GAP - half("log(x + y) <= 0"), top + DOWN // 2))
    long, cut = (confusion_chart(torch.eye(2).long(), [name, "b"]) for name in ("a" * 99, "a" * 15 + "…"))
    assert long.tobytes() == cut.tobytes()


def test_images_are_shown_in_their_colours() -> None:
    grey = torch.tensor([[[[50, 100], [0, 25]]], [[[200, 200], [200, 200]]]], dtype=torch.uint8)  # (2, 1, 2, 2)
    grid = captioned_grid(grey, ["a", "b\nc"], columns=2, side=100)
    assert grid.size == (2 * 110, 100 + 2 * LINE + GAP)
    places = [(10, 5), (90, 5), (10, 90), (90, 90), (160, 50)]
    assert [grid.getpixel(place) for place in places] == [(value,) * 3 for value in (64, 128, 0, 32, 255)]
    assert_shows(grid, "a", (55, 100 + LINE // 2))
    assert_shows(grid, "c", (165, 100 + LINE + LINE // 2))
    colours = torch.tensor([[200, 0, 100], [50, 25, 0]], dtype=torch.uint8).T.reshape(1, 3, 2, 1)
    grid = captioned_grid(colours, ["a"], columns=1, side=20)
    assert [grid.getpixel((grid.width // 2, y)) for y in (10, 30)] == [(255, 0, 128), (64, 32, 0)]
    dark = captioned_grid(torch.zeros(1, 3, 2, 2), ["a"])
    assert dark.getpixel((70, 70)) == (0, 0, 0)


def test_errors_are_drawn_where_samples_are_images() -> None:
    captions = ["a,\nnot b\n(99.0%)"] * 2
    assert [*errors_chart(torch.ones(3, 3, 4, 4), captions)] == ["worst_errors"]
    assert errors_chart(torch.ones(3, 1, 4, 4), []) == {}
    assert errors_chart(torch.ones(3, 2, 4, 4), captions) == {}
    assert errors_chart(torch.ones(3, 7), captions) == {}
    text = caption(torch.tensor([0.0, 50.0]), torch.tensor(0), ["Shirt", "Coat"])
    assert text == "Shirt,\nnot Coat\n(100.0%)"
    lines = ["", "1 error, the most confident of them (truth, not prediction):", "  sample 7: Shirt, not Coat (100.0%)"]
    assert errors_in_lines([7], [text], "sample {}".format) == lines


def test_pictures_for_documents(digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--ckpt", str(digits), "--default_root_dir", str(tmp_path), "--images"]
    command.main([*flags, str(tmp_path / "new" / "folder")])
    paths = [tmp_path / "new" / "folder" / name for name in ("confusion.png", "errors.png")]
    assert capsys.readouterr().out.splitlines()[-3:-1] == [f"image            {path}" for path in paths]
    events = EventAccumulator(str(tmp_path / "lightning_logs" / "digits" / "test"))
    events.Reload()
    for path, tag in zip(paths, ("test/confusion", "test/worst_errors"), strict=True):
        with Image.open(path) as picture, Image.open(BytesIO(events.Images(tag)[0].encoded_image_string)) as shown:
            assert picture.convert("RGB").tobytes() == shown.convert("RGB").tobytes()
    (tmp_path / "file").touch()
    with pytest.raises(Failure) as error:
        command.main([*flags, str(tmp_path / "file")])
    line = f"can't write {tmp_path}/file/confusion.png (File exists): choose another --images"
    assert str(error.value) == line
    with pytest.raises(UsageError) as refused:
        command.main(["--ckpt", str(digits), "--test_data", "a.csv"])
    assert str(refused.value) == "--test_data a.csv: the model's samples are no rows of a table; leave it out"


def test_a_regression_s_picture(
    trained: Callable[[str], Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained("log_value")
    command.main(["--ckpt", str(run.best), "--images", str(tmp_path)])
    assert capsys.readouterr().out.splitlines()[-2:] == [
        f"image            {tmp_path / 'predicted.png'}",
        f"images           tensorboard --logdir {run.folder.absolute()}",
    ]
    samples, targets = TASKS["log_value"]().split("test")
    with torch.inference_mode():
        values = MLP.load_from_checkpoint(run.best)(samples)
    events = EventAccumulator(str(run.folder))
    events.Reload()
    shown = BytesIO(events.Images("test/predicted")[-1].encoded_image_string)
    with Image.open(tmp_path / "predicted.png") as picture, Image.open(shown) as logged:
        assert picture.tobytes() == logged.tobytes() == predicted_chart(values[:, 0], targets[:, 0]).tobytes()


def write_table(path: Path, rows: range) -> Path:
    """A table in which ``size`` decides, most of the time."""
    kinds = ["yes" if (n * 7 % 50 > 24) != (n % 13 == 0) else "no" for n in rows]
    lines = [f"{n * 7 % 50},{n % 4 if n % 9 else 'NA'},{'cd'[n % 2]}" for n in rows]
    lines = [f"{line},{kind}" for line, kind in zip(lines, kinds, strict=True)]
    path.write_text("\n".join(["size,number,letter,large", *lines]) + "\n")
    return path


@pytest.fixture
def table_run(run_fit: Callable[..., Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    path = write_table(tmp_path / "things.csv", range(400))
    small = ["--max_epochs", "8", "--hidden", "[8]", "--bins", "8", "--members", "1"]
    run = run_fit("--data", str(path), "--target", "large", *small, task="table")
    capsys.readouterr()
    return run


def test_a_table_s_report(table_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command.main(["--ckpt", str(table_run.folder), "--images", str(tmp_path / "charts")])
    lines = capsys.readouterr().out.splitlines()
    metrics = ["test/loss", "test/accuracy", "test/auc", "test/balanced_accuracy"]
    assert [line.split()[0] for line in lines[:4]] == metrics
    assert re.fullmatch(r"base rate        0\.5\d+, always (no|yes)", lines[4])
    errors = [line for line in lines if line.startswith("  sample ")]
    assert errors
    for line in errors:
        assert re.fullmatch(
            r"  sample \d+ \(size \d+, (number (missing|[0-3])|letter [cd]), (number (missing|[0-3])|letter [cd])\): "
            r"(yes, not no|no, not yes) \(\d+\.\d%\)",
            line,
        )
    title = r"accuracy lost when a column is shuffled among \d+ rows \(mean of 3 shuffles\):"
    start = next(place for place, line in enumerate(lines) if re.fullmatch(title, line))
    assert lines[start + 1].startswith("  size    ")
    assert sorted(line.split()[0] for line in lines[start + 1 : start + 4]) == ["letter", "number", "size"]
    names = ["confusion", "calibration", "roc", "importance"]
    assert lines[start + 4 : -1] == [f"image            {tmp_path / 'charts' / name}.png" for name in names]
    events = EventAccumulator(str(table_run.folder))
    events.Reload()
    assert {f"test/{name}" for name in names} <= set(events.Tags()["images"])


def test_a_table_that_has_changed_is_refused(
    table_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ckpt = ["--ckpt", str(table_run.best)]
    write_table(tmp_path / "things.csv", range(410))
    with pytest.raises(Failure) as changed:
        command.main(ckpt)
    assert str(changed.value) == "the table's files have changed since the run: test on others with --test_data"
    (tmp_path / "things.csv").unlink()
    with pytest.raises(UsageError) as vanished:
        command.main(ckpt)
    assert str(vanished.value) == f"{tmp_path / 'things.csv'}: there is no such file"
    other = write_table(tmp_path / "other.csv", range(1000, 1200))
    command.main([*ckpt, "--test_data", str(other)])
    assert "accuracy lost when a column is shuffled among 200 rows (mean of 3 shuffles):" in capsys.readouterr().out
    other.write_text("size,large\n1,yes\n")
    with pytest.raises(Failure) as failure:
        command.main([*ckpt, "--test_data", str(other)])
    assert str(failure.value) == f"--test_data {other}: these columns are missing: number, letter"
    shutil.copy(table_run.best, tmp_path / "alone.ckpt")
    with pytest.raises(Failure, match="^the checkpoint lies in no run, which would name the table's files: name some "):
        command.main(["--ckpt", str(tmp_path / "alone.ckpt")])
