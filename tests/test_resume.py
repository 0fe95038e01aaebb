"""A run that is broken off anywhere and goes on ends as if nothing had happened, bit for bit."""

import contextlib
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from litmlp import Failure
from litmlp.runs import Run
from tests.conftest import Fit, points_everywhere
from tests.crash import CrashError
from tests.faults.compare import differences

AVERAGE = "--callbacks+=EMAWeightAveraging --callbacks.decay=0.9 --callbacks.update_every_n_steps=3"
EARLY_STOPPING = "--callbacks+=EarlyStopping --callbacks.monitor=val/loss --callbacks.patience=1"
SETTINGS = {
    "digits": "--max_epochs 3 --dropout 0.3 --schedule one_cycle --batch_norm true",
    "digits, stopped early": f"--max_epochs 40 --lr 0.05 --dropout 0.3 --schedule constant {EARLY_STOPPING}",
    "digits, accumulating": "--max_epochs 6 --dropout 0.3 --schedule cosine --accumulate_grad_batches 2",
    "digits, accumulating and validating": "--max_epochs 9 --accumulate_grad_batches 4 --val_check_interval 0.3",
    "digits, validating between steps": "--max_epochs 15 --accumulate_grad_batches 8 --val_check_interval 5",
    "digits, validating across epochs": "--max_epochs 9 --accumulate_grad_batches 4 --val_check_interval 7"
    " --check_val_every_n_epoch null",
    "digits, validating twice": "--max_epochs 3 --dropout 0.3 --val_check_interval 0.5 --optimizer sgd",
    "digits, not validating": "--max_epochs 3 --dropout 0.3 --limit_val_batches 0",
    "digits, by steps": "--max_epochs -1 --max_steps 50 --dropout 0.3",
    "digits, by steps of whole epochs": "--max_epochs -1 --max_steps 40 --dropout 0.3",
    "digits, deformed": "--max_epochs 3 --augment.rotation 10 --augment.elastic 0.5 --augment.flip 0.5",
    "digits, averaged": f"--max_epochs 3 --batch_norm true --dropout 0.3 {AVERAGE}",
    "digits, averaging all weights": "--max_epochs 3 --dropout 0.3 --callbacks+=WeightAveraging",
    "digits, keeping checkpoints": "--max_epochs 3 --dropout 0.3 --callbacks+=ModelCheckpoint"
    " --callbacks.monitor=val/loss --callbacks.save_top_k=2 --callbacks.filename={epoch}-{step}",
    "digits, keeping checkpoints of steps": "--max_epochs 3 --dropout 0.3 --callbacks+=ModelCheckpoint"
    " --callbacks.save_top_k=-1 --callbacks.every_n_train_steps=5 --callbacks.filename={epoch}-{step}",
    "digits, logging to a table": "--max_epochs 3 --dropout 0.3 --logger=CSVLogger --log_every_n_steps 3",
    "digits, logging the rate": "--max_epochs 3 --schedule one_cycle --log_every_n_steps 3"
    " --callbacks+=LearningRateMonitor --callbacks.logging_interval=step",
    "log_value, in double precision": "--max_epochs 1 --dropout 0.3 --precision 64",
    "digits, in half precision": "--max_epochs 3 --dropout 0.3 --precision bf16-true",
    "digits, clipped": "--max_epochs 3 --dropout 0.3 --precision bf16-mixed --gradient_clip_val 0.5",
    "digits, not validating, stopped early": "--max_epochs 40 --lr 0.05 --schedule constant --limit_val_batches 0"
    " --callbacks+=EarlyStopping --callbacks.monitor=train/loss --callbacks.patience=1",
    "log_value": "--max_epochs 1 --dropout 0.3 --log_every_n_steps 1",
    "xor": "--max_epochs 2 --dropout 0.3 --conv []",
}


def break_off(run_fit: Fit, flags: list[str], task: str, *, step: int, moment: str = "batch") -> None:
    """Start the run, or go on with it, until it is broken off."""
    crash = ["--callbacks+=tests.crash.Crash", f"--callbacks.step={step}", f"--callbacks.moment={moment}"]
    with pytest.raises(CrashError):
        run_fit(*flags, *crash, task=task, points=points_everywhere())


@pytest.mark.parametrize("name", SETTINGS)
def test_a_run_that_is_broken_off_ends_as_one_that_was_not(name: str, run_fit: Fit) -> None:
    task, flags = name.split(",", maxsplit=1)[0], ["--hidden", "[16,8]", *SETTINGS[name].split()]
    reference = run_fit(*flags, task=task).folder
    reference = reference.rename(reference.with_name("reference"))  # so that paths in its checkpoints are the same
    for step in (0, 7, 19, 20, 33):
        break_off(run_fit, flags, task, step=step)
    if "not validating" not in name:
        at = {"log_value": 79, "xor": 64}.get(task, 41 if name == "digits, accumulating and validating" else 40)
        for moment in ("validation", "validated") if "and validating" in name else ("validation",):
            break_off(run_fit, flags, task, step=at, moment=moment)
    if "by steps" in name:
        break_off(run_fit, flags, task, step=int(SETTINGS[name].split()[3]), moment="ending")
    to_the_end = flags if "--callbacks" in SETTINGS[name] else [*flags, "--callbacks=null"]
    run = run_fit(*to_the_end, task=task, points=points_everywhere())
    assert differences(run.folder, reference) == []
    run.results.unlink()  # as after a kill behind the end of training
    run_fit(*to_the_end, task=task)
    assert differences(run.folder, reference) == []


def test_a_callback_that_serves_two_trainings_writes_the_last_step_of_each(run_fit: Fit) -> None:
    points = points_everywhere()
    for steps in (30, 40):
        run = run_fit("--max_epochs=-1", f"--max_steps={steps}", points=points)
        assert torch.load(run.last, weights_only=True)["global_step"] == steps


@pytest.fixture
def broken_off(run_fit: Fit) -> tuple[Run, Run, Callable[[], Run]]:
    """A run that was broken off behind step 33, an undisturbed one, and what goes on with the first."""
    flags = SETTINGS["digits"].split()
    reference = run_fit(*flags, name="reference")
    break_off(run_fit, flags, "digits", step=33)
    run = Run(reference.folder.with_name("run"))
    steps = [torch.load(path, weights_only=True)["global_step"] for path in (run.last, run.previous)]
    assert steps == [33, 32]
    return run, reference, lambda: run_fit(*flags, "--callbacks=null", points=points_everywhere())


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
    "one bit flipped": flip_a_bit,
    "empty": lambda path: path.write_bytes(b""),
    "garbage": lambda path: path.write_bytes(os.urandom(10_000)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_newest_checkpoint_is_named_and_passed_over(
    damage: str, broken_off: tuple[Run, Run, Callable[[], Run]], capfd: pytest.CaptureFixture[str]
) -> None:
    run, reference, go_on = broken_off
    DAMAGES[damage](run.last)
    damaged = run.last.read_bytes()
    capfd.readouterr()
    go_on()
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"skipped: {run.last} is damaged")
    aside = run.last.with_name("last.ckpt.skipped")
    assert aside.read_bytes() == damaged
    aside.unlink()
    assert differences(run.folder, reference.folder) == []


def test_with_both_checkpoints_damaged_it_begins_again(
    broken_off: tuple[Run, Run, Callable[[], Run]], capfd: pytest.CaptureFixture[str]
) -> None:
    run, reference, go_on = broken_off
    for path in (run.last, run.previous):
        path.write_bytes(b"")
    capfd.readouterr()
    go_on()
    assert [line.split(" is ")[0] for line in capfd.readouterr().err.splitlines()] == [
        f"skipped: {run.last}",
        f"skipped: {run.previous}",
    ]
    assert differences(run.folder, reference.folder) == []


@contextlib.contextmanager
def file_size_limit(limit: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_checkpoint_that_can_not_be_written_costs_nothing(broken_off: tuple[Run, Run, Callable[[], Run]]) -> None:
    run, reference, go_on = broken_off
    before = run.last.read_bytes()
    with file_size_limit(100_000), pytest.raises(Failure, match=f"can't write {run.last} "):
        go_on()
    assert run.last.read_bytes() == before
    assert not list(run.folder.rglob("*.writing"))
    go_on()
    assert differences(run.folder, reference.folder) == []


def test_curves_that_can_not_be_written_cost_nothing(
    run_fit: Fit, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    flags = [*SETTINGS["digits"].split(), "--log_every_n_steps", "1"]
    folder = tmp_path / "lightning_logs" / "digits" / "run"
    with file_size_limit(2_000), pytest.raises(Failure, match=f"can't write {folder} .File too large."):
        run_fit(*flags)
    assert "Traceback" not in capfd.readouterr().err
    assert differences(run_fit(*flags).folder, run_fit(*flags, name="reference").folder) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of three megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("no rights to mount a file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Write a file that leaves no room on the disk."""
    filling = disk / "filling"
    with filling.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return filling


def test_a_full_disk_costs_nothing(
    small_disk: Path, broken_off: tuple[Run, Run, Callable[[], Run]], run_fit: Fit
) -> None:
    run, reference, _ = broken_off
    flags = [*SETTINGS["digits"].split(), "--callbacks=null", "--default_root_dir", str(small_disk)]
    there = Run(small_disk / "lightning_logs" / "digits" / "run")
    shutil.copytree(run.folder, there.folder)
    before = there.last.read_bytes()
    filling = fill(small_disk)
    with pytest.raises(Failure, match=f"can't write {there.folder}"):
        run_fit(*flags)
    assert there.last.read_bytes() == before
    filling.unlink()
    run_fit(*flags)
    there.config.write_text(there.config.read_text().replace(str(small_disk), str(small_disk.parent)))
    assert differences(there.folder, reference.folder) == []


def test_a_full_temporary_folder_does_not_matter(
    small_disk: Path, broken_off: tuple[Run, Run, Callable[[], Run]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, reference, go_on = broken_off
    fill(small_disk)
    monkeypatch.setenv("TMPDIR", str(small_disk))
    monkeypatch.setattr(tempfile, "tempdir", None)
    go_on()
    assert differences(run.folder, reference.folder) == []
