"""test.py repeats a run's test, and shows where the model is wrong."""

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
from litmlp.studies.charts import BLUE, PAPER, RED, captioned_grid, confusion_chart
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
    table = [line.split() for line in lines[lines.index("") + 3 :][:10]]
    assert [row[0] for row in table] == [*"0123456789"]
    counts = torch.tensor([[0 if cell == "·" else int(cell) for cell in row[1:11]] for row in table])
    samples, targets = TASKS["digits"]().split("test")
    assert counts.sum(1).tolist() == targets.bincount().tolist()
    assert int(counts.trace()) / len(targets) == pytest.approx(reached["test"]["accuracy"])
    assert [row[11] for row in table] == [f"{float(share):.2%}" for share in counts.diag() / counts.sum(1)]
    predictions = MLP.load_from_checkpoint(run.best)(samples).argmax(1)
    assert f"{int((predictions != targets).sum())} errors, the most confident of them (truth, not prediction):" in lines
    events = EventAccumulator(str(run.folder))
    events.Reload()
    assert {"test/confusion", "test/worst_errors"} <= set(events.Tags()["images"])


def test_the_order_of_errors() -> None:
    probabilities = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7], [0.01, 0.99]])
    targets = torch.tensor([0, 0, 1, 0, 1])
    assert command.worst_errors(probabilities, targets).tolist() == [1, 3, 2]
    assert command.confusion_matrix(probabilities.argmax(1), targets, 2).tolist() == [[1, 2], [1, 1]]


def test_the_table_cuts_long_names() -> None:
    lines = command.table(torch.tensor([[3, 1], [0, 0]]), ["a name that is " + "long " * 8, "b"])
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


def test_charts_show_counts_and_captions() -> None:
    chart = confusion_chart(torch.tensor([[4, 0], [4, 4]]), ["no", "yes"])
    colours = {colour for _, colour in chart.getcolors(100_000) or []}
    assert {BLUE, PAPER} <= colours
    assert RED not in colours  # a half is a lighter red
    grid = captioned_grid(torch.ones(7, 1, 2, 2), [f"caption {number}" for number in range(7)])
    assert isinstance(grid, Image.Image)
    assert grid.height == 2 * (140 + 20 + 12)
    assert grid.getpixel((grid.width // 10, 70)) == (255, 255, 255)


def test_pictures_for_documents(
    digits: Path, trained: Callable[[str], Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--ckpt", str(digits), "--default_root_dir", str(tmp_path), "--images"]
    command.main([*flags, str(tmp_path / "new" / "folder")])
    paths = [tmp_path / "new" / "folder" / name for name in ("confusion.png", "errors.png")]
    assert capsys.readouterr().out.splitlines()[-2:] == [f"image            {path}" for path in paths]
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
    with pytest.raises(UsageError, match="^--images x: there are none of a regression; leave it out$"):
        command.main(["--ckpt", str(trained("log_value").best), "--images", "x"])
