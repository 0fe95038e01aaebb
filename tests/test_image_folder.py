"""A folder of anybody's images: found, converted as predict does it, cached, split, trained on, and refused."""

import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy
import pytest
import torch
from PIL import Image

import litmlp
from litmlp import Failure, Network, UsageError
from litmlp.commands import by_hand, export, fit, predict, test
from litmlp.inference.images import sample_from_image
from litmlp.runs import Run
from litmlp.tasks import progress
from litmlp.tasks.image_conversion import Colour
from litmlp.tasks.image_folder import ImageFolder
from litmlp.tasks.image_split import stratified
from tests.conftest import Fit, points_everywhere, script
from tests.crash import CrashError
from tests.faults.compare import differences
from tests.test_resume import break_off

RED, GREEN, BLUE = (230, 20, 30), (20, 200, 60), (10, 40, 220)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, so that caches and runs lie in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def noise(number: int, height: int = 6, width: int = 6, colour: tuple[int, int, int] = (0, 0, 0)) -> Image.Image:
    """An image that has no copy, rather of a colour."""
    levels = numpy.random.default_rng(number).integers(0, 120, (height, width, 3))
    return Image.fromarray((levels // 2 + numpy.array(colour) * 3 // 4).clip(0, 255).astype(numpy.uint8))


def save(path: str, image: Image.Image, **options: Any) -> None:
    """Write an image, in the format that its name says."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)


def fill(folder: str, **counts: int) -> None:
    """Write so many different images for each class."""
    for place, (name, count) in enumerate(counts.items()):
        for number in range(count):
            seed = 1000 * place + number + 10_000 * len(folder)
            save(f"{folder}/{name}/{number:03}.png", noise(seed, colour=(RED, GREEN, BLUE)[place % 3]))


def prepared(data: str = "photos", **settings: Any) -> ImageFolder:
    """The task, with its data."""
    task = ImageFolder(data, **{"image_size": 6, **settings})
    task.prepare_data()
    return task


def counts_of(task: ImageFolder) -> dict[str, list[int]]:
    """How many samples of each class each side has."""
    assert task.classes is not None
    return {
        name: task.split(name)[1].bincount(minlength=len(task.classes)).tolist() for name in ("train", "val", "test")
    }


def as_set(samples: torch.Tensor) -> set[bytes]:
    return {sample.numpy().tobytes() for sample in samples}


def caches() -> list[Path]:
    return sorted(Path("data/image_folder").iterdir())


def odd_images(folder: str) -> None:
    """One image of each kind that phones, scanners and painters make."""
    colours = noise(1, 40, 70)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    clear = colours.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    deep = Image.fromarray(numpy.arange(0, 65_536, 32, dtype=numpy.uint16).reshape(32, 64))
    save(f"{folder}/a/rgb.png", colours)
    save(f"{folder}/a/palette.gif", colours.convert("P"))
    save(f"{folder}/a/clear.png", clear)
    save(f"{folder}/a/clear_palette.png", clear.quantize(16))
    save(f"{folder}/a/deep.png", deep)
    save(f"{folder}/b/print.jpg", colours.convert("CMYK"))
    save(f"{folder}/b/turned.jpg", colours, exif=exif, quality=95)
    save(f"{folder}/b/large.jpg", noise(2, 30, 50).resize((2400, 1500)))
    save(f"{folder}/b/line.bmp", colours.convert("1"))
    save(f"{folder}/b/tiny.webp", noise(3, 1, 2))


@pytest.mark.parametrize(("colour", "shape"), [("auto", (3, 16, 16)), ("rgb", (3, 16, 16)), ("grey", (1, 16, 16))])
def test_every_image_is_the_very_sample_that_predict_makes_of_its_file(colour: str, shape: tuple[int, ...]) -> None:
    odd_images("photos")
    odd_images("photos")
    task = prepared(image_size=16, colour=colour)
    assert task.spec.sample_shape == shape
    contents = [path.read_bytes() for path in sorted(Path("photos").rglob("*.*"))]
    expected = as_set(torch.stack([sample_from_image(task.spec, content) for content in contents]))
    assert len(expected) == 10
    assert as_set(torch.cat([task.split(name)[0] for name in ("train", "val", "test")])) == expected


def test_grey_is_decided_by_the_pixels_and_agrees_with_predict_as_well() -> None:
    for number in range(3):
        grey = noise(number, 25, 40).convert("L")
        save(f"photos/a/{number}.png", grey)
        save(f"photos/b/{number}.png", noise(number + 9, 25, 40).convert("L").convert("RGB"))
        save(f"photos/b/{number}.jpg", noise(number + 20, 25, 40).convert("L").convert("RGB"))
    task = prepared(image_size=7)
    assert task.spec.sample_shape == (1, 7, 7)
    contents = [path.read_bytes() for path in sorted(Path("photos").rglob("*.*"))]
    expected = as_set(torch.stack([sample_from_image(task.spec, content) for content in contents]))
    assert as_set(torch.cat([task.split(name)[0] for name in ("train", "val", "test")])) == expected
    save("photos/a/colour.png", Image.new("RGB", (5, 5), (80, 80, 81)))
    assert prepared(image_size=7).spec.sample_shape == (3, 7, 7)


def test_a_photo_is_turned_upright_scaled_and_cropped() -> None:
    upright = Image.new("RGB", (4, 8), "black")
    upright.paste(RED, (0, 2, 4, 4))
    upright.paste(BLUE, (0, 4, 4, 6))
    exif = Image.Exif()
    exif[0x0112] = 8  # turned by three quarters
    for number, name in enumerate(("a", "a", "a", "b", "b", "b")):
        save(f"photos/{name}/{number}.png", upright.rotate(-90, expand=True), exif=exif, compress_level=number)
    task = prepared(image_size=2)
    rows = torch.tensor([RED, BLUE], dtype=torch.uint8).T.view(3, 2, 1)
    assert torch.equal(task.split("train")[0][0], rows.expand(3, 2, 2))


def test_the_split_is_stratified_by_the_seed() -> None:
    fill("photos", ant=3, bee=4, cow=10, dog=25)
    expected = {"train": [1, 2, 6, 16], "val": [1, 1, 2, 4], "test": [1, 1, 2, 5]}
    first, again, other = prepared(), prepared(), prepared(seed=1)
    assert counts_of(first) == counts_of(other) == expected
    assert all(torch.equal(first.split(name)[0], again.split(name)[0]) for name in expected)
    assert as_set(first.split("test")[0]) != as_set(other.split("test")[0])
    sides = [as_set(first.split(name)[0]) for name in expected]
    assert len(set.union(*sides)) == sum(map(len, sides)) == 42
    reds = first.split("test")[0][first.split("test")[1] == 0].float().mean((0, 2, 3))
    assert int(reds.argmax()) == 0


def test_copies_are_on_one_side() -> None:
    fill("photos", a=20, b=20)
    for number in range(0, 20, 2):
        for copy in range(3):
            shutil.copy(f"photos/a/{number:03}.png", f"photos/a/{copy}{number:03}.png")
    for seed in range(5):
        task = prepared(seed=seed)
        sides = [as_set(task.split(name)[0]) for name in ("train", "val", "test")]
        assert len(set.union(*sides)) == sum(map(len, sides)) == 40
        assert sum(sum(counts) for counts in counts_of(task).values()) == 70


def test_a_group_belongs_to_the_class_of_its_first_sample() -> None:
    targets, groups = torch.tensor([0, 1, 0, 0, 0, 1]), torch.tensor([7, 7, 8, 9, 3, 5])
    for seed in range(5):
        split = stratified(targets, groups, ("test", "val"), seed)
        parts = [groups[split[side]].unique().tolist() for side in ("train", "val", "test")]
        assert [len(part) for part in parts] == [3, 1, 1]  # of the groups 3, 7, 8 and 9 of class 0, and 5 of class 1
        assert 5 in parts[0]
        assert {*parts[0], *parts[1], *parts[2]} == {3, 5, 7, 8, 9}


def test_folders_that_are_split_already(capsys: pytest.CaptureFixture[str]) -> None:
    fill("photos/Train", a=5, b=6)
    fill("photos/validation", a=2, b=1)
    fill("photos/testing", b=3)
    fill("photos/.hidden", a=3)
    fill("photos/extra", a=3)
    save("photos/Train/.cache/x.png", noise(0))
    save("photos/Train/__MACOSX/x.png", noise(0))
    task = prepared()
    assert task.classes == ("a", "b")
    assert counts_of(task) == {"train": [5, 6], "val": [2, 1], "test": [0, 3]}
    line = "note: not used: extra in photos, neither train, val nor test with classes in it\n"
    assert capsys.readouterr() == ("", line)
    shutil.rmtree("photos/validation")
    assert counts_of(prepared()) == {"train": [4, 5], "val": [1, 1], "test": [0, 3]}
    shutil.rmtree("photos/testing")
    Path("photos/test").mkdir()
    save("photos/test/unknown.png", noise(1))
    capsys.readouterr()
    assert counts_of(prepared()) == {"train": [3, 4], "val": [1, 1], "test": [1, 1]}
    assert capsys.readouterr().err.startswith("note: not used: extra and test in photos, ")


def test_a_class_may_be_called_train() -> None:
    fill("photos", train=4, plane=4)
    assert prepared().classes == ("plane", "train")


def test_what_was_found_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    fill("photos", cat=5, dog=1203)
    save("photos/cat/large.jpg", noise(5, 30, 50).resize((1200, 800)))
    for name, content in {
        "cat/notes.txt": b"hello",
        "dog/cut.png": Path("photos/dog/000.png").read_bytes()[:60],
    }.items():
        Path("photos", name).write_bytes(content)
    Path("photos/dog/link.png").symlink_to("nowhere")
    os.mkfifo("photos/dog/pipe.png")
    Path("photos/cat/.DS_Store").write_bytes(b"x")
    lines = [
        "classes          cat 6, dog 1,203",
        "images           1,209 of 1,213 files, from 6×6 to 1200×800 pixels, brought to 6×6 in colour",
    ]
    note = (
        "note: skipped 4 of 1,213 files: cat/notes.txt (no image in a format that is read here (PNG, JPEG, GIF, WEBP,"
        " BMP, TIFF, PPM)), dog/cut.png (the image is damaged (image file is truncated)), dog/link.png (can't be read"
        " (No such file or directory)) and 1 more\n"
    )
    for _ in range(2):  # converted, and read from the cache
        assert prepared().description() == lines
        assert capsys.readouterr() == ("", note)


def test_many_classes_are_summarised() -> None:
    fill("photos", **{f"class_{number:02}": 3 + number for number in range(11)})
    assert prepared().description() == [
        "classes          11, from 3 (class_00) to 13 (class_10) images",
        "images           88, of 6×6 pixels, brought to 6×6 in colour",
    ]


def test_copies_that_spoil_the_metrics_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    fill("photos/train", a=4, b=4)
    fill("photos/test", a=2, b=2)
    shutil.copy("photos/train/a/001.png", "photos/test/a/copy.png")
    shutil.copy("photos/train/b/001.png", "photos/train/a/wrong.png")
    prepared()
    assert capsys.readouterr().err.splitlines() == [
        "note: copies of training images among those to validate or test on: 1, such as test/a/copy.png",
        "note: copies in several classes: 2, such as train/a/wrong.png and train/b/001.png",
    ]


def test_the_images_are_converted_once() -> None:
    fill("photos", a=4, b=4)
    first = prepared()
    (cache,) = caches()
    content = cache.read_bytes()
    changed = Path("photos/a/000.png")
    status = changed.stat()
    changed.write_bytes(bytes(status.st_size))  # unseen: of the same size and time
    os.utime(changed, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert torch.equal(prepared().split("train")[0], first.split("train")[0])
    assert cache.read_bytes() == content
    os.utime(changed, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert counts_of(prepared()) == {"train": [1, 2], "val": [1, 1], "test": [1, 1]}
    assert caches() == [cache]
    fill("photos", a=4, b=4)
    save("photos/b/new.png", noise(77))
    assert counts_of(prepared())["train"] == [2, 3]
    Path("photos/b/new.png").rename("photos/b/renamed.png")
    before = cache.read_bytes()
    prepared()
    assert cache.read_bytes() != before
    prepared(image_size=5)
    prepared(colour="grey")
    assert len(caches()) == 3


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "folder"])
def test_a_damaged_cache_is_converted_again(damage: str, capsys: pytest.CaptureFixture[str]) -> None:
    fill("photos", a=4, b=4)
    first = prepared()
    (cache,) = caches()
    content = cache.read_bytes()
    if damage == "folder":
        cache.unlink()
        cache.mkdir()
    else:
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :]
        cache.write_bytes({"flip": flipped, "cut": content[:-1], "empty": b""}[damage])
    assert torch.equal(prepared().split("train")[0], first.split("train")[0])
    if damage == "folder":
        line = "note: can't keep the converted images in data/image_folder (Is a directory): each start converts them"
        assert capsys.readouterr() == ("", f"{line} again\n")
    else:
        assert cache.read_bytes() == content
    assert caches() == [cache]


def test_without_a_place_to_keep_them_images_are_converted_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    fill("photos", a=4, b=4)
    Path("full").touch()
    assert counts_of(prepared(data_dir="full")) == {"train": [2, 2], "val": [1, 1], "test": [1, 1]}
    line = (
        "note: can't keep the converted images in full/image_folder (Not a directory): each start converts them again\n"
    )
    assert capsys.readouterr() == ("", line)


def test_a_long_conversion_shows_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fill("photos", a=4, b=4)
    monkeypatch.setattr(progress, "SILENT", 0.0)
    line = "note: converting 8 images: the next start finds them converted\n"
    for err in (line, ""):
        prepared()
        assert capsys.readouterr() == ("", err)
    master, slave = os.openpty()
    with os.fdopen(slave, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        prepared(image_size=3)
        with suppress(Failure), progress.Progress("rows", 2) as rows:
            rows.add()
            raise Failure("the rest is broken")
        monkeypatch.undo()
    shown = os.read(master, 1000)
    assert shown.startswith(b"\rconverting images: 1 of 8")
    assert shown.endswith(b"\r\n\rconverting rows: 1 of 2\r\n")
    os.close(master)


FLAGS = ["--task", "image_folder", "--data", "photos", "--image_size", "8", "--hidden", "[8]", "--accelerator", "cpu"]


def test_every_command_takes_it_and_a_run_is_resumed(
    serve: Callable[[Network], str], capsys: pytest.CaptureFixture[str]
) -> None:
    fill("photos", red=30, green=30, blue=30)
    short = [*FLAGS, "--batch_size", "8", "--max_epochs", "6", "--lr", "0.01"]
    fit.main([*short, "--run", "whole"])
    with pytest.raises(CrashError):
        fit.main([*short, "--run", "parts", "--callbacks+=tests.crash.Crash", "--callbacks.step=10"])
    fit.main(["--resume", "lightning_logs/image_folder/parts", "--callbacks=null"])
    whole, parts = (Run(Path("lightning_logs/image_folder") / name) for name in ("whole", "parts"))
    assert differences(parts.folder, whole.folder) == []
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines()[2:5] == [
        "samples          57 to train on, 15 to validate on; 18 to test on",
        "classes          blue 30, green 30, red 30",
        "images           90, of 6×6 pixels, brought to 8×8 in colour",
    ]
    reached = whole.read_results()
    assert reached is not None

    test.main(["--ckpt", str(whole.folder), "--images", "charts"])
    assert capsys.readouterr().out.startswith(f"test/loss       {reached['test']['loss']:#.4g}\n")
    assert Path("charts/confusion.png").is_file()
    for form in ("pt2", "onnx"):
        export.main(["--ckpt", str(whole.folder), "--format", form])
        assert Path(f"image_folder.{form}").is_file()

    save("new/red.png", noise(1, 50, 90, RED))
    save("new/blue.jpg", noise(2, 200, 90, BLUE))
    capsys.readouterr()
    predict.main(["--ckpt", str(whole.folder), "--format", "json", "new"])
    answers = json.loads(capsys.readouterr().out)
    assert [(answer["input"], answer["label"]) for answer in answers] == [
        ("new/blue.jpg", "blue"),
        ("new/red.png", "red"),
    ]
    address = serve(litmlp.load(whole.best))
    for answer, kind in zip(answers, ("jpeg", "png"), strict=True):
        request = Request(f"{address}/predict", Path(answer["input"]).read_bytes(), {"Content-Type": f"image/{kind}"})
        with urlopen(request) as response:
            assert json.load(response)["answers"][0]["probabilities"] == answer["probabilities"]


def test_by_hand_ends_with_the_same_weights(capsys: pytest.CaptureFixture[str]) -> None:
    fill("photos", red=10, blue=10)
    for command in (by_hand, fit):
        command.main([*FLAGS, "--max_epochs", "2"])
    digests = re.findall(r"sha256 (\w{16})", capsys.readouterr().out)
    assert len(digests) == 2
    assert digests[0] == digests[1]


@pytest.mark.slow
def test_two_processes_train_it_with_and_without_a_cache(here: Path) -> None:
    fill("photos", red=20, blue=20)
    Path("photos/red/cut.png").write_bytes(b"")
    Path("full").touch()
    digests = []
    for data_dir in ("data", "full"):
        ended = script("fit", *FLAGS, "--devices", "2", "--max_epochs", "2", "--data_dir", data_dir, cwd=here)
        assert ended.returncode == 0, ended.stderr
        assert ended.stderr.count("note: skipped 1 of 41 files: red/cut.png (") == 1
        assert ended.stderr.count("note: ") == (1 if data_dir == "data" else 2)
        digests += re.findall(r"sha256 (\w{16})", ended.stdout)
    assert len(digests) == 2
    assert digests[0] == digests[1]


def test_errors_are_called_by_their_files_and_a_checkpoint_alone_knows_the_form(
    capsys: pytest.CaptureFixture[str],
) -> None:
    fill("photos", red=10, blue=10)
    fit.main([*FLAGS, "--run", "run", "--max_epochs", "1", "--lr", "1e-9"])
    Path("lightning_logs/image_folder/run/checkpoints/best.ckpt").rename("alone.ckpt")
    Path("photos").rename("moved")
    capsys.readouterr()
    test.main(["--ckpt", "alone.ckpt", "--data", "moved"])
    lines = capsys.readouterr().out.splitlines()
    errors = [line.split() for line in lines if line.startswith("  ") and ", not " in line]
    assert errors
    for name, truth, *_ in errors:
        assert re.fullmatch(r"(red|blue)/\d{3}\.png:", name)
        assert name.split("/")[0] == truth.removesuffix(",")
    with pytest.raises(UsageError, match="^--data is missing: "):
        test.main(["--ckpt", "alone.ckpt"])


def test_another_task_takes_no_data(trained: Callable[[str], Run]) -> None:
    with pytest.raises(UsageError, match="^--data x: the task xor has its own; leave it out$"):
        test.main(["--ckpt", str(trained("xor").best), "--data", "x"])


def test_a_name_that_can_t_be_shown_names_no_class() -> None:
    fill("photos", a=3)
    Path(os.fsdecode(b"photos/caf\xe9")).mkdir()
    with pytest.raises(Failure, match=r"^photos: the folder 'caf\\udce9' can't be a class's name: rename it"):
        prepared()


def test_a_file_s_name_may_be_any(capsys: pytest.CaptureFixture[str]) -> None:
    fill("photos", a=4, b=4)
    for name in (b"photos/a/caf\xe9.png", b"photos/a/a\nb.png"):
        Path(os.fsdecode(name)).write_bytes(b"")
    for _ in range(2):
        prepared()
        err = capsys.readouterr().err
        assert (err.count("\n"), "a/a b.png (no image" in err, "a/caf\\udce9.png (no image" in err) == (1, True, True)


@pytest.mark.parametrize("colour", ["auto", "rgb"])
def test_images_that_are_larger_than_memory_are_the_same_from_files(
    colour: Colour, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill("photos", a=30, b=40)
    save("photos/a/copy.png", noise(0, colour=RED))
    Path("photos/b/broken.png").write_bytes(b"no image")
    settings: dict[str, Any] = {"image_size": 64, "colour": colour}
    stored, in_memory = prepared(memory="1MB", **settings), prepared(memory="1GB", **settings)
    assert set(stored.stored) == {"train", "val", "test"}
    assert not in_memory.stored
    assert stored.spec == in_memory.spec
    assert stored.description()[1:] == in_memory.description()
    (folder,) = Path("data/cache").iterdir()
    assert stored.description()[0] == f"stored           larger than --memory: read from {folder} as they are needed"
    assert sorted(path.name.partition(".")[0] for path in folder.iterdir()) == sorted(
        ["header", *("train", "val", "test", "places") * 2]
    )
    skipped = capsys.readouterr().err.splitlines()
    assert skipped[0] == skipped[1]
    assert skipped[0].startswith("note: skipped 1 of 72 files: b/broken.png")
    for name in ("train", "val", "test"):
        (samples, targets), (expected, labels) = stored.split(name), in_memory.split(name)
        order, reference = (numpy.lexsort(part.flatten(1).numpy().T[::-1]) for part in (samples, expected))
        assert torch.equal(samples[order], expected[reference])
        assert torch.equal(targets[order], labels[reference])
    names = {in_memory.name_of(index): sample for index, sample in enumerate(in_memory.split("test")[0])}
    for index, sample in enumerate(stored.split("test")[0]):
        assert torch.equal(sample, names[stored.name_of(index)])
    again = prepared(memory="1MB", **settings)
    assert capsys.readouterr().err.splitlines() == [skipped[0]]
    assert all(torch.equal(*pair) for pair in zip(again.split("train"), stored.split("train"), strict=True))


def test_a_run_on_images_in_files_ends_as_one_that_was_not_broken_off(run_fit: Fit) -> None:
    fill("photos", a=30, b=40)
    flags = ["--data=photos", "--image_size=64", "--memory=1MB", "--max_epochs=2", "--batch_size=8", "--hidden=[8]"]
    reference = run_fit(*flags, task="image_folder").folder
    reference = reference.rename(reference.with_name("reference"))
    break_off(run_fit, flags, "image_folder", step=3)
    run = run_fit(*flags, "--callbacks=null", task="image_folder", points=points_everywhere())
    assert differences(run.folder, reference) == []
