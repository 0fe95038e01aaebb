"""predict.py answers pictures and numbers, from a checkpoint alone."""

import csv
import json
import os
import shutil
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
import torch
from PIL import Image

from litmlp.commands import export, predict
from litmlp.commands.checkpoint_flags import checkpoint_of, parser_with_ckpt
from litmlp.errors import Failure, UsageError
from litmlp.inference.drawings import to_drawing
from litmlp.inference.images import to_values
from litmlp.model.loading import load
from litmlp.runs import Run
from litmlp.tasks import TASKS
from tests.conftest import drawn, script

CORNERS = [(0.5, 0.15), (0.68, 0.3), (0.7, 0.5), (0.68, 0.7), (0.5, 0.85), (0.32, 0.7), (0.3, 0.5), (0.32, 0.3)]
ZERO = [[*CORNERS, CORNERS[0]]]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with two good pictures, in a folder within it a third, and a file that is none."""
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    drawn(ZERO).save(folder / "zero.png")
    drawn(ZERO, side=90, width=9).convert("RGB").save(folder / "small.jpg")
    Image.eval(drawn(ZERO), lambda shade: 255 - shade).save(folder / "more" / "inverted.png")
    (folder / "notes.txt").write_text("no picture")
    (folder / ".hidden").write_text("not looked at")
    return folder


def test_the_command_names_what_is_no_picture_and_answers_the_others(digits: Path, pictures: Path) -> None:
    ended = script("predict", "--ckpt", digits, "pictures", "nowhere.png", cwd=pictures.parent)
    assert ended.returncode == 1
    lines = ended.stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["pictures/more/inverted.png", "0"],
        ["pictures/small.jpg", "0"],
        ["pictures/zero.png", "0"],
    ]
    assert lines[2].split()[2].endswith("%")
    assert ended.stderr.splitlines() == [
        "predict.py: pictures/notes.txt: no image in a format that is read here (PNG, JPEG, GIF, WEBP, BMP, TIFF, PPM)",
        "predict.py: nowhere.png: can't be read (No such file or directory)",
        "predict.py: 2 of 5 inputs couldn't be answered",
    ]


def test_what_is_no_file_is_not_waited_for(digits: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "zeros.png").symlink_to("/dev/zero")
    ended = script("predict", "--ckpt", digits, "pipe.png", "zeros.png", "/dev/zero", "a\nb\x1b[2J", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "")
    no_file = "can't be read (a device or a pipe, no file)"
    assert ended.stderr.splitlines() == [
        *(f"predict.py: {name}: {no_file}" for name in ("pipe.png", "zeros.png", "/dev/zero")),
        r"predict.py: a b\x1b[2J: can't be read (No such file or directory)",
        "predict.py: 4 of 4 inputs couldn't be answered",
    ]


def test_names_that_no_file_can_have(digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty one would be the whole working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("not to be read")
    long = "o" * 300
    with pytest.raises(UsageError, match="^an INPUT is empty: name an image, a folder of images, or numbers$"):
        predict.main(["--ckpt", str(digits), ""])
    with pytest.raises(Failure, match=f"^--ckpt {long}: there is no such run's folder or checkpoint$"):
        predict.main(["--ckpt", long, "seven.png"])
    with pytest.raises(Failure, match=rf"^can't write {long}.pt2 \(File name too long\)"):
        export.main(["--ckpt", str(digits), "--format", "pt2", "--output", f"{long}.pt2"])


def test_a_name_does_not_control_the_terminal(digits: Path, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = pictures / "odd\x1b[2J.png"
    shutil.copy(pictures / "zero.png", odd)
    predict.main(["--ckpt", str(digits), str(odd)])
    assert capsys.readouterr().out.startswith(rf"{pictures}/odd\x1b[2J.png  0  ")
    predict.main(["--ckpt", str(digits), "--format", "json", str(odd)])
    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert json.loads(told)[0]["input"] == str(odd)


def test_json_and_csv_hold_what_the_network_says(
    digits: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    zero = str(pictures / "zero.png")
    predict.main(["--ckpt", str(digits), "--format=json", zero, zero])
    answers = json.loads(capsys.readouterr().out)
    network, form = load(digits), TASKS["digits"].image
    assert form is not None
    sample = to_values(to_drawing(drawn(ZERO), form, (1, 8, 8)), form)
    with torch.inference_mode():
        probabilities = network(sample.unsqueeze(0)).softmax(1)[0]
    second = int(probabilities.argsort(descending=True)[1])
    assert (
        answers[0]
        == answers[1]
        == {
            "input": zero,
            "label": "0",
            "probability": pytest.approx(float(probabilities[0]), abs=1e-6),
            "runner_up": str(second),
            "runner_up_probability": pytest.approx(float(probabilities[second]), abs=1e-6),
            "probabilities": pytest.approx(probabilities.tolist(), abs=1e-6),
        }
    )
    predict.main(["--ckpt", str(digits), "--format=csv", zero])
    rows = list(csv.DictReader(StringIO(capsys.readouterr().out)))
    names = ("input", "label", "probability", "runner_up", "runner_up_probability")
    assert rows == [{name: str(answers[0][name]) for name in names}]


def test_numbers(trained: Callable[[str], Run], capsys: pytest.CaptureFixture[str]) -> None:
    predict.main(["--ckpt", str(trained("xor").folder), "--format=csv", "0,0", "0,1", "1,0", "1,1"])
    rows = list(csv.DictReader(StringIO(capsys.readouterr().out)))
    assert [row["label"] for row in rows] == ["0", "1", "1", "0"]
    predict.main(["--ckpt", str(trained("log_value").best), "--format=json", "0.5,0.5", "0.9,0.9"])
    values = [answer["values"][0] for answer in json.loads(capsys.readouterr().out)]
    assert values == pytest.approx([0, 0.588], abs=0.15)
    predict.main(["--ckpt", str(trained("log_value").best), "0.5,0.5"])
    assert capsys.readouterr().out == f"0.5,0.5  {values[0]:.6g}\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("seven.png", "the model takes numbers, 2 with commas between them"),
        ("1,2,3", "the samples have shape [1, 3]: it must be ['n', 2], with n at least 1"),
        ("nan,0", "the samples hold the number nan: they must be from -1e+09 to 1e+09"),
        ("0,1e300", "the samples hold the number 1e+300: they must be from -1e+09 to 1e+09"),
    ],
)
def test_numbers_that_are_none(
    trained: Callable[[str], Run], capsys: pytest.CaptureFixture[str], text: str, why: str
) -> None:
    with pytest.raises(Failure, match="^1 of 2 inputs couldn't be answered$"):
        predict.main(["--ckpt", str(trained("xor").best), text, "1,0"])
    told = capsys.readouterr()
    assert told.err == f"predict.py: {text}: {why}\n"
    assert told.out.startswith(f"{'1,0':{max(3, len(text))}}  1  ")


def test_without_any_answer_a_file_stays_as_it_is(trained: Callable[[str], Run], tmp_path: Path) -> None:
    output = tmp_path / "answers.csv"
    output.write_text("mine")
    for inputs in (["x"], ["x", "1,2,3"]):
        with pytest.raises(Failure, match=f"^{len(inputs)} of {len(inputs)} inputs couldn't be answered$"):
            predict.main(["--ckpt", str(trained("xor").best), "--output", str(output), *inputs])
        assert [path.name for path in tmp_path.iterdir() if path.read_text() == "mine"] == ["answers.csv"]
    with pytest.raises(Failure, match="^1 of 2 inputs couldn't be answered$"):
        predict.main(["--ckpt", str(trained("xor").best), "--output", str(output), "x", "1,0"])
    assert output.read_text().splitlines()[1].startswith('"1,0",1,')


def test_which_checkpoint_is_meant(
    trained: Callable[[str], Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = str(trained("digits").folder.parents[2])
    newest = max(Path(root).glob("*/*/*/config.yaml"), key=lambda path: path.stat().st_mtime).parent

    def chosen(*flags: str) -> Path:
        return checkpoint_of(parser_with_ckpt("x", "y").parse_args(list(flags)))

    assert chosen("--ckpt=last", f"--default_root_dir={root}") == newest / "checkpoints" / "best.ckpt"
    assert chosen(f"--ckpt={newest}") == newest / "checkpoints" / "best.ckpt"
    assert chosen(f"--ckpt={newest / 'checkpoints' / 'last.ckpt'}") == newest / "checkpoints" / "last.ckpt"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Failure, match="^--ckpt last: there is no run in lightning_logs$"):
        chosen("--ckpt=last")
    with pytest.raises(Failure, match="^--ckpt nowhere: there is no such run's folder or checkpoint$"):
        chosen("--ckpt=nowhere")
    with pytest.raises(UsageError, match="^the following arguments are required: --ckpt$"):
        chosen()
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="^empty is a folder without files$"):
        predict.main([f"--ckpt={trained('digits').best}", "empty"])


def test_mnist_from_png_files_agrees_with_the_test_accuracy(
    trained: Callable[[str], Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained("mnist")
    samples, targets = TASKS["mnist"](data_dir=str(run.folder.parents[2] / "data")).split("test")
    model = load(run.best)
    pick = slice(0, 400)
    with torch.inference_mode():
        own = (model(samples[pick]).argmax(1) == targets[pick]).float().mean().item()
    forms = [(28, False), (28, True), (84, True), (140, False), (333, True)]
    for index, image in enumerate(samples[pick, 0]):
        side, inverted = forms[index % len(forms)]
        picture = Image.fromarray(image.numpy()).resize((side, side), Image.Resampling.BICUBIC)
        picture = Image.eval(picture, lambda shade: 255 - shade) if inverted else picture
        picture.save(tmp_path / f"{index:03}.png")
    predict.main(["--ckpt", str(run.best), "--format=json", str(tmp_path)])
    answers = json.loads(capsys.readouterr().out)
    assert len(answers) == 400
    right = sum(answer["label"] == str(int(target)) for answer, target in zip(answers, targets, strict=False))
    assert right / 400 == pytest.approx(own, abs=0.01)
